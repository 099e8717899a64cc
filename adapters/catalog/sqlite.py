"""The catalog's database in one SQLite file: the default."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Select, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.catalog.database import BUSY_MS, READERS, Database, translated
from orchestrator.domain.errors import Unavailable

AGAIN_S: Final = 0.05
FOLD_MS: Final = 250
"""So long the folding of the log may hold writers up; a backup reads for longer."""


class SqliteDatabase(Database):
    """WAL mode: writes in `BEGIN IMMEDIATE` transactions, reads through a read-only engine."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            _engine(f"sqlite+aiosqlite:///{path}", begin="BEGIN IMMEDIATE", size=1),
            _engine(
                f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true", begin="BEGIN", size=READERS
            ),
        )
        self._path = path
        self._unfolded = False
        self._lookups = ThreadPoolExecutor(1, thread_name_prefix="catalog-lookup")
        self._connected: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Make the file, or migrate it; wait while another process recovers or folds the log.

        For those SQLite itself does not wait, as it does for a writer.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ends = time.monotonic() + BUSY_MS / 1e3
        while True:
            try:
                return await super().open()
            except Unavailable as error:
                if "locked" not in error.detail or time.monotonic() > ends:
                    raise
                await asyncio.sleep(AGAIN_S)

    async def close(self) -> None:
        """Close every connection; the last writer folds the write-ahead log into the file."""
        await asyncio.get_running_loop().run_in_executor(self._lookups, self._disconnect)
        self._lookups.shutdown()
        await super().close()

    async def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, where what was erased is overwritten.

        Where a reader is in the way, `overdue` does it later.
        """
        async with self._writing:
            with translated():
                async with self._writer.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    await driver.execute(f"PRAGMA busy_timeout = {FOLD_MS}")
                    try:
                        async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as folded:
                            self._unfolded = bool((await folded.fetchone())[0])
                    finally:
                        await driver.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    async def overdue(self) -> None:
        """Fold the log, if a reader was in the way when it was to be folded."""
        if self._unfolded:
            await self.checkpoint()

    async def lookup(self, query: Select[Any], ids: Sequence[int]) -> Sequence[Sequence[Any]]:
        """In one hop; through the engine, which hops at every step, it costs a multiple."""
        with translated():
            return await asyncio.get_running_loop().run_in_executor(
                self._lookups, self._looked_up, _written(query), json.dumps(list(ids))
            )

    def _looked_up(self, query: str, ids: str) -> list[tuple[Any, ...]]:
        if self._connected is None:
            self._connected = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, timeout=BUSY_MS / 1e3, isolation_level=None
            )
        with closing(self._connected.execute(query, (ids,))) as cursor:
            return cursor.fetchall()

    def _disconnect(self) -> None:
        if self._connected:
            self._connected.close()


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[SqliteDatabase]:
    """Open the database, migrated; close it at the end."""
    database = SqliteDatabase(path)
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@lru_cache(maxsize=16)
def _written(query: Select[Any]) -> str:
    return str(query.compile(dialect=sqlite.dialect()))


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
