"""Parsers, one a format."""
