"""Logs, metrics and timings: wrappers around ports, set up once."""
