"""Cutting a document into chunks that fit the embedding model: one module a strategy."""
