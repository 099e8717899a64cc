"""The catalog over a SQL database."""

from __future__ import annotations

from sqlalchemy import text

from adapters.catalog.analytics import SqlAnalytics
from adapters.catalog.batches import SqlBatches, SqlErrands
from adapters.catalog.chunks import SqlChunks, SqlVectors
from adapters.catalog.database import Database
from adapters.catalog.deletions import SqlDeletions
from adapters.catalog.documents import SqlDocuments
from adapters.catalog.log import SqlLog
from adapters.catalog.reindexings import SqlReindexings
from adapters.catalog.replies import SqlReplies
from adapters.catalog.sessions import SqlSessions
from adapters.catalog.versions import SqlVersions
from adapters.catalog.workspaces import SqlWorkspaces


class SqlCatalog:
    """`orchestrator.ports.catalog.Catalog` over an open database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.workspaces = SqlWorkspaces(database)
        self.documents = SqlDocuments(database)
        self.versions = SqlVersions(database)
        self.deletions = SqlDeletions(database)
        self.log = SqlLog(database)
        self.chunks = SqlChunks(database)
        self.vectors = SqlVectors(database)
        self.batches = SqlBatches(database)
        self.errands = SqlErrands(database)
        self.replies = SqlReplies(database)
        self.reindexings = SqlReindexings(database)
        self.analytics = SqlAnalytics(database)
        self.sessions = SqlSessions(database)

    async def ping(self) -> None:
        """Read one constant."""
        async with self._database.read() as connection:
            await connection.execute(text("SELECT 1"))
