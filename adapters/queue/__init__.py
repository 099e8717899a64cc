"""Queues of ingestion work."""
