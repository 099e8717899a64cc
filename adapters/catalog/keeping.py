"""Whole catalogs: a consistent copy while they are used, and a copy in their place."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Select, Table, Text, cast, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.copies import COUNTED, as_one_file, connected, write_last
from adapters.catalog.database import translated
from adapters.catalog.postgresql import APPLICATION, PostgresDatabase
from adapters.catalog.schema import documents, metadata
from adapters.catalog.sqlite import open_sqlite
from orchestrator.domain.errors import Conflict, NotFound, Rejected, Unavailable

BATCH: Final = 500
ROWS: Final = 2_000
IN_USE: Final = "a server, a worker or another command uses the catalog: stop it first"


class SqliteKeeper:
    """`orchestrator.ports.keeping.Keeper` of one file, by SQLite's own online backup.

    It copies pages in one go: a writer waits for nothing, and only the folding of the write-ahead
    log waits for the copy. `VACUUM INTO` would read for several times as long.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def copy(self, path: Path) -> None:
        """Copy the pages, then migrate the copy."""
        if not self._path.exists():
            raise NotFound(f"there is no catalog in '{self._path.parent}'", code="no_catalog")
        with translated():
            await asyncio.to_thread(self._copy, path)
        async with open_sqlite(path):
            pass
        await asyncio.to_thread(as_one_file, path)

    async def deleted(self, documents: Sequence[str]) -> frozenset[str]:
        """Look them up."""
        with translated():
            return await asyncio.to_thread(self._deleted, documents)

    async def require_alone(self) -> None:
        """Lock the file as only its last user can."""
        if self._path.exists():
            with translated():
                (await asyncio.to_thread(self._exclusive)).close()

    async def replace(self, path: Path) -> None:
        """Overwrite all pages in one transaction of SQLite, which undoes it if it is cut short."""
        with translated():
            await asyncio.to_thread(self._replace, path)

    def _copy(self, path: Path) -> None:
        with closing(self._reading()) as live, closing(sqlite3.connect(path)) as copied:
            live.backup(copied)

    def _reading(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=15)

    def _deleted(self, wanted: Sequence[str]) -> frozenset[str]:
        live: set[str] = set()
        with closing(self._reading()) as file:
            for start in range(0, len(wanted), BATCH):
                batch = wanted[start : start + BATCH]
                marks = ", ".join("?" * len(batch))
                live.update(
                    one
                    for (one,) in file.execute(
                        f"SELECT id FROM documents WHERE deleted_at IS NULL AND id IN ({marks})",  # noqa: S608  # marks are question marks
                        tuple(batch),
                    )
                )
        return frozenset(wanted) - live

    def _exclusive(self) -> sqlite3.Connection:
        """A connection beside which there is none: in WAL mode, others hold a lock all the time."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("PRAGMA synchronous = FULL")
            file.execute("BEGIN EXCLUSIVE")
            file.execute("COMMIT")
        except sqlite3.OperationalError as error:
            file.close()
            if "locked" in str(error):
                raise Conflict(IN_USE, code="in_use") from error
            raise
        return file

    def _replace(self, path: Path) -> None:
        with closing(self._exclusive()) as live, closing(connected(path)) as copied:
            copied.backup(live)


class PostgresKeeper:
    """`orchestrator.ports.keeping.Keeper` of a database; JSON goes as it is written.

    Rows are read in one snapshot, and written in one transaction.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    async def copy(self, path: Path) -> None:
        """Make the tables in SQLite, and fill them."""
        async with open_sqlite(path):
            pass
        await asyncio.to_thread(as_one_file, path)
        with translated(), closing(connected(path)) as file:
            file.execute("PRAGMA synchronous = OFF")  # whoever keeps the file flushes it
            file.execute("BEGIN")
            async with self._database.read() as connection:
                for table in metadata.sorted_tables:
                    await _read_table(connection, table, file)
                for name in COUNTED:
                    write_last(file, name, await _last(connection, name))
            file.execute("COMMIT")

    async def deleted(self, documents_: Sequence[str]) -> frozenset[str]:
        """Look them up."""
        live: set[str] = set()
        async with self._database.read() as connection:
            for start in range(0, len(documents_), BATCH):
                rows = await connection.execute(
                    select(documents.c.id).where(
                        documents.c.deleted_at.is_(None),
                        documents.c.id.in_(documents_[start : start + BATCH]),
                    )
                )
                live.update(rows.scalars())
        return frozenset(documents_) - live

    async def require_alone(self) -> None:
        """Ask the server who is connected."""
        async with self._database.read() as connection:
            await _require_alone(connection)

    async def replace(self, path: Path) -> None:
        """Empty the tables, which locks them, and fill them: one transaction."""
        tables = ", ".join(f'"{name}"' for name in metadata.tables)
        with closing(connected(path)) as file:
            async with self._database.write() as connection:
                await connection.execute(text(f"TRUNCATE {tables}"))
                await _require_alone(connection)
                for table in metadata.sorted_tables:
                    await _write_table(connection, table, file)
                for name, last in _ends(file):
                    await connection.execute(
                        text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"),
                        {"name": name, "last": last},
                    )


async def _require_alone(connection: AsyncConnection) -> None:
    others = await connection.execute(
        text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = :name"
        ),
        {"name": APPLICATION},
    )
    if others.scalar_one():
        raise Conflict(IN_USE, code="in_use")


async def _read_table(connection: AsyncConnection, table: Table, file: sqlite3.Connection) -> None:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" * len(table.columns))
    insertion = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608  # our own tables
    rows = await connection.stream(_as_written(table), execution_options={"yield_per": ROWS})
    async for some in rows.partitions():
        await asyncio.to_thread(file.executemany, insertion, [tuple(row) for row in some])


def _as_written(table: Table) -> Select[Any]:
    return select(
        *(
            cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
            for column in table.columns
        )
    )


async def _last(connection: AsyncConnection, table: str) -> int:
    sequence = await connection.execute(
        text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table}
    )
    found = await connection.execute(
        text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence.scalar_one()}")  # noqa: S608  # the server's own name
    )
    return int(found.scalar_one())


async def _write_table(connection: AsyncConnection, table: Table, file: sqlite3.Connection) -> None:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    with _translated():
        await driver.copy_records_to_table(
            table.name,
            columns=[column.name for column in table.columns],
            records=_records(table, file),
        )


async def _records(table: Table, file: sqlite3.Connection) -> AsyncIterator[tuple[Any, ...]]:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    flags = [at for at, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    rows = file.execute(f'SELECT {columns} FROM "{table.name}"')  # noqa: S608  # our own tables
    while some := await asyncio.to_thread(rows.fetchmany, ROWS):
        for row in some:
            yield tuple(bool(one) if at in flags else one for at, one in enumerate(row))


def _ends(file: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    """Each table that counts its rows by itself, with the last number it has given."""
    yield from file.execute("SELECT name, seq FROM sqlite_sequence")
    ((last,),) = file.execute("SELECT max(id) FROM vectors")
    if last:
        yield "vectors", last


@contextmanager
def _translated() -> Iterator[None]:
    import asyncpg  # noqa: PLC0415  # an extra, and only PostgreSQL's

    try:
        yield
    except (asyncpg.DataError, OverflowError) as error:
        raise Rejected(f"the backup holds what does not fit into PostgreSQL: {error}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable("catalog", str(error)) from error
