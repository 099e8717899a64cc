"""One SQL database: a single writer, concurrent readers, migrations, and translated errors."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Select, Table, inspect, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from adapters.catalog.schema import HEAD
from orchestrator.domain.characters import UNKEPT
from orchestrator.domain.errors import Rejected, Unavailable
from orchestrator.ports.arrays import Ids

MIGRATIONS: Final = Path(__file__).parent / "migrations"
NO_TEXT: Final = "22021"
"""PostgreSQL's `character_not_in_repertoire`."""
BUSY_MS: Final = 15_000
READERS: Final = 4


class Database(ABC):
    """Short write transactions, one at a time over all processes; reads in snapshots."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writing = asyncio.Lock()
        self._writer = writer
        self._reader = reader

    async def open(self) -> None:
        """Create or migrate the tables."""
        async with self.write() as connection:
            await connection.run_sync(_migrate)

    async def close(self) -> None:
        """Close every connection."""
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits when the block ends, and is undone when it raises.

        Raises:
            Rejected: when it is given text that it could never hold.
        """
        async with self._writing:
            with translated(), answerable():
                async with self._writer.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent snapshot.

        Raises:
            Rejected: when it is asked for text that it could never hold.
        """
        with translated(), answerable():
            async with self._reader.begin() as connection:
                yield connection

    @abstractmethod
    async def lookup(self, query: Select[Any], ids: Sequence[int]) -> Sequence[Sequence[Any]]:
        """The rows of a query with the one parameter `ids`: for what every question reads."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """See to it that what was erased is in no file any more, as far as the database can."""

    @abstractmethod
    async def overdue(self) -> None:
        """Do what `checkpoint` could not do when it was asked to."""


class elements(FunctionElement[Any]):  # noqa: N801  # it reads as a function of SQL
    """The elements of a JSON list as rows, each in the column `value`."""

    name = "elements"
    inherit_cache = True


@compiles(elements, "sqlite")
def _on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(elements, "postgresql")
def _on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **options)})"


class gathered(FunctionElement[Any]):  # noqa: N801  # it reads as a function of SQL
    """The numbers of a group in one list, which `ids_of` reads."""

    name = "gathered"
    inherit_cache = True


@compiles(gathered, "sqlite")
def _gathered_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(gathered, "postgresql")
def _gathered_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"array_agg({compiler.process(element.clauses, **options)})"


def ids_of(told: str | Sequence[int]) -> Ids:
    """What `gathered` gave, ascending."""
    numbers = json.loads(told) if isinstance(told, str) else told
    return np.sort(np.array(numbers, np.int64))


def upsert(connection: AsyncConnection, table: Table) -> Any:
    """An insertion that can say what to do where the key is taken, in the database's dialect."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


async def insert_new(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows; one whose key is taken is left as it is."""
    await connection.execute(upsert(connection, table).on_conflict_do_nothing(), rows)


@contextmanager
def translated() -> Iterator[None]:
    """Let the database's own errors be `Unavailable`."""
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.Error, OSError) as error:
        raise Unavailable("catalog", str(getattr(error, "orig", None) or error)) from error


@contextmanager
def answerable() -> Iterator[None]:
    """Let text that the database cannot hold be `Rejected`: it is no outage."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != NO_TEXT:
            raise
        raise Rejected(f"the text {UNKEPT}", code="invalid_request") from error


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
