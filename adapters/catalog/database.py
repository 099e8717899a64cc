"""One SQL database: a single writer, concurrent readers, migrations, and translated errors."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.catalog.schema import HEAD
from orchestrator.domain.errors import Unavailable

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_MS: Final = 15_000
READERS: Final = 4


class Database:
    """SQLite in WAL mode: writes in short `BEGIN IMMEDIATE` transactions, reads in snapshots."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = asyncio.Lock()
        self._writer = _engine(f"sqlite+aiosqlite:///{path}", begin="BEGIN IMMEDIATE", size=1)
        self._reader = _engine(
            f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true", begin="BEGIN", size=READERS
        )
        self._lookups = ThreadPoolExecutor(1, thread_name_prefix="catalog-lookup")
        self._connected: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Create or migrate the database."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        async with self.write() as connection:
            await connection.run_sync(_migrate)

    async def close(self) -> None:
        """Close every connection; the last writer folds the write-ahead log into the file."""
        await asyncio.get_running_loop().run_in_executor(self._lookups, self._disconnect)
        self._lookups.shutdown()
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits when the block ends, and is undone when it raises."""
        async with self._writing:
            with _translated():
                async with self._writer.begin() as connection:
                    yield connection

    async def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, so that what was erased is in neither."""
        async with self._writing:
            with _translated():
                async with self._writer.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    await (await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")).close()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent snapshot."""
        with _translated():
            async with self._reader.begin() as connection:
                yield connection

    async def lookup(self, query: str, parameter: str) -> list[tuple[Any, ...]]:
        """The rows of a query with one parameter, in one hop: for what every question reads.

        Through the engine, the same costs a multiple: it hops at every step of a transaction.
        """
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(
                self._lookups, self._looked_up, query, parameter
            )

    def _looked_up(self, query: str, parameter: str) -> list[tuple[Any, ...]]:
        if self._connected is None:
            self._connected = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, timeout=BUSY_MS / 1e3, isolation_level=None
            )
        with closing(self._connected.execute(query, (parameter,))) as cursor:
            return cursor.fetchall()

    def _disconnect(self) -> None:
        if self._connected:
            self._connected.close()


def _engine(url: str, *, begin: str, size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=30)

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not at the first write
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        if size == 1:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _migrate(connection: Connection) -> None:
    if inspect(connection).has_table("alembic_version"):
        current = connection.execute(
            select(text("version_num")).select_from(text("alembic_version"))
        )
        if current.scalar_one() == HEAD:
            return
    from alembic import command  # noqa: PLC0415  # slow to import, and seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise Unavailable("catalog", str(getattr(error, "orig", None) or error)) from error
