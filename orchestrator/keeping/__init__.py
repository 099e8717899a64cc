"""Backup and restoration of a whole deployment."""
