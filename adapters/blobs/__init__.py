"""Stores of original files."""
