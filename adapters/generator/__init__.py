"""Generators of answers."""
