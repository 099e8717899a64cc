"""Retrievers that bring an index of their own."""
