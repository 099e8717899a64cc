"""Runs migrations on the connection that the catalog hands over."""

from alembic import context

from adapters.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
