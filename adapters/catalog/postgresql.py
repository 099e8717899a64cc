"""The catalog's database in PostgreSQL: for several machines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import Connection, Select, event, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.catalog.database import BUSY_MS, READERS, Database

APPLICATION: Final = "rag-orchestrator"
"""What every process of this program tells the server that it is, but one that restores."""
WRITER: Final = 0x7261_6763
"""The advisory lock under which every process writes: as with SQLite, one at a time."""


class PostgresDatabase(Database):
    """Writes under one advisory lock; reads in `REPEATABLE READ`, which is a snapshot."""

    def __init__(self, url: str, *, timeout_s: float, application: str = APPLICATION) -> None:
        address = make_url(url).set(drivername="postgresql+asyncpg")
        arguments = {
            "timeout": timeout_s,
            "server_settings": {
                "application_name": application,
                "lock_timeout": str(BUSY_MS),
            },
        }
        writer = create_async_engine(
            address, pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=arguments
        )
        reader = create_async_engine(
            address,
            pool_size=READERS,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args=arguments,
            isolation_level="REPEATABLE READ",
        )
        super().__init__(writer, reader)

        @event.listens_for(writer.sync_engine, "begin")
        def began(connection: Connection) -> None:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")

    async def lookup(self, query: Select[Any], ids: Sequence[int]) -> Sequence[Sequence[Any]]:
        """Through the engine."""
        async with self.read() as connection:
            rows: Sequence[Sequence[Any]] = (
                await connection.execute(query, {"ids": list(ids)})
            ).all()
            return rows

    async def checkpoint(self) -> None:
        """Nothing: the server overwrites deleted rows when its autovacuum comes by."""

    async def overdue(self) -> None:
        """Nothing, likewise."""


@asynccontextmanager
async def open_postgresql(
    url: str, *, timeout_s: float, application: str = APPLICATION
) -> AsyncIterator[PostgresDatabase]:
    """Connect and migrate; close every connection at the end."""
    database = PostgresDatabase(url, timeout_s=timeout_s, application=application)
    try:
        await database.open()
        yield database
    finally:
        await database.close()
