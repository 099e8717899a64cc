"""A vector index in PostgreSQL by pgvector: one table for each workspace, generation and model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
import numpy as np

from adapters.masks import Masks
from adapters.within import Bound, Only, Reach, search_within
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.indexes import IndexKey, Visibility

Result = TypeVar("Result")

REACH: Final = Reach(names=5000, hits=20_000)
BATCH: Final = 500
WRITE_S: Final = 60.0
CONNECTIONS: Final = 4
EF_LIMIT: Final = 1000
INDEXED_DIMENSIONS: Final = 2000
"""pgvector's own limits."""

TRAINED_ON: Final = 30
"""An IVFFlat index is made when there are so many vectors for each of its lists."""

MAKING: Final = 0x7261_6776
"""The advisory lock under which processes make tables, one at a time."""


@dataclass(frozen=True, slots=True)
class TableIndexing:
    """Which index a table gets (`hnsw`, `ivfflat` or none), and how it is built and searched.

    A table of up to `exact` rows is scanned: that takes milliseconds, and no index finds more.
    """

    kind: str = "none"
    build: Mapping[str, int] = field(default_factory=dict)
    search: Mapping[str, int] = field(default_factory=dict)
    exact: int = 5000


class Postgres:
    """A pool that connects when it is first used."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._pool: asyncpg.Pool | None = None
        self._connecting = asyncio.Lock()

    async def run(
        self, work: Callable[[Any], Awaitable[Result]], *, limit_s: float | None = None
    ) -> Result:
        """Do the work in a transaction.

        Raises:
            Unavailable: when the server does not answer in time, or refuses.
        """
        with _translated():
            async with asyncio.timeout(limit_s or self._timeout_s):
                pool = await self._connected()
                async with pool.acquire() as connection, connection.transaction():
                    return await work(connection)

    async def close(self) -> None:
        """Disconnect."""
        if self._pool:
            self._pool.terminate()

    async def _connected(self) -> asyncpg.Pool:
        async with self._connecting:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=self._timeout_s,
                    server_settings={"application_name": "rag-orchestrator"},
                )
            return self._pool


class PgVectors:
    """`orchestrator.ports.indexes.VectorIndex` in a table."""

    def __init__(
        self,
        postgres: Postgres,
        key: IndexKey,
        visibility: Visibility,
        indexing: TableIndexing,
        reach: Reach,
        *,
        persist: bool,
    ) -> None:
        self._postgres = postgres
        self._table = table_of(key)
        self._dimension = key.dimension
        self._visibility = visibility
        self._indexing = indexing
        self._reach = reach
        self._persist = persist
        self._masks = Masks()
        self._ids: Ids = np.empty(0, np.int64)
        self._made = False
        self._iterates = False

    async def held(self) -> Ids:
        """The ids in the table, as of now."""
        self._made = False  # what was there before an outage need not be there after it
        await self._postgres.run(_version)  # nobody waits long for a server that does not answer
        await self._make()
        self._ids = await self._postgres.run(self._stored, limit_s=WRITE_S)
        return self._ids

    async def apply(self, ids: Ids, contents: Sequence[Vector], *, remove: Ids) -> None:
        """Put and remove in one transaction for each batch."""
        if not self._persist:
            return
        await self._make()
        self._ids = np.union1d(self._ids, ids)
        gone = np.setdiff1d(remove, ids)
        for start in range(0, max(len(ids), 1), BATCH):
            rows = [
                (chunk_id, vector.tolist())
                for chunk_id, vector in zip(
                    ids[start : start + BATCH].tolist(),
                    contents[start : start + BATCH],
                    strict=True,
                )
            ]
            await self._postgres.run(partial(self._put, rows, gone), limit_s=WRITE_S)
        self._ids = np.setdiff1d(self._ids, gone)

    async def search(self, question: Vector, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Rank within the selection."""
        held, vector = self._ids, question.tolist()
        allowed = await asyncio.to_thread(
            lambda: self._masks.allowed(held, self._visibility.select(scope))
        )

        async def search(bound: Bound, count: int) -> Sequence[Hit]:
            return await self._postgres.run(
                lambda connection: self._nearest(connection, vector, bound, count)
            )

        return await search_within(search, held, allowed, limit=limit, reach=self._reach)

    async def save(self) -> None:
        """All is committed; an IVFFlat index is made once there is enough to learn from."""
        if self._persist and self._indexing.kind == "ivfflat":
            lists = self._indexing.build["lists"]
            if len(self._ids) >= lists * TRAINED_ON:
                await self._postgres.run(
                    lambda connection: connection.execute(self._index()), limit_s=WRITE_S * 10
                )

    async def faults(self) -> Sequence[str]:
        """What the server keeps, it checks itself."""
        return ()

    async def _make(self) -> None:
        if self._made:
            return
        if self._persist:
            await self._postgres.run(self._create, limit_s=WRITE_S)
        version = await self._postgres.run(_version)
        self._iterates = version >= (0, 8)
        self._made = True

    async def _create(self, connection: asyncpg.Connection) -> None:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MAKING)
        if await _version(connection) == ():
            await connection.execute("CREATE EXTENSION vector")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} "
            f"(id bigint PRIMARY KEY, embedding vector({self._dimension}) NOT NULL)"
        )
        if self._indexing.kind == "hnsw":
            await connection.execute(self._index())

    def _index(self) -> str:
        """The statement that makes the table's index, unless it has one."""
        if self._dimension > INDEXED_DIMENSIONS:
            raise Unavailable(
                "pgvector",
                f"it indexes vectors of at most {INDEXED_DIMENSIONS} dimensions, and the model's "
                f"have {self._dimension}: set 'index' to 'none'",
            )
        build = ", ".join(f"{name} = {number}" for name, number in self._indexing.build.items())
        return (
            f"CREATE INDEX IF NOT EXISTS {self._table}_{self._indexing.kind} ON {self._table} "
            f"USING {self._indexing.kind} (embedding vector_ip_ops) WITH ({build})"
        )

    async def _stored(self, connection: asyncpg.Connection) -> Ids:
        if not self._persist and not await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", self._table
        ):
            return np.empty(0, np.int64)
        rows = await connection.fetch(f"SELECT id FROM {self._table} ORDER BY id")  # noqa: S608  # our own name
        return np.array([row[0] for row in rows], np.int64)

    async def _put(
        self, rows: Sequence[tuple[int, list[float]]], gone: Ids, connection: asyncpg.Connection
    ) -> None:
        await connection.executemany(
            f"INSERT INTO {self._table} VALUES ($1, $2::real[]::vector) "  # noqa: S608  # our own name
            "ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding",
            rows,
        )
        if len(gone):
            await connection.execute(
                f"DELETE FROM {self._table} WHERE id = ANY($1::bigint[])",  # noqa: S608  # our own name
                gone.tolist(),
            )

    async def _nearest(
        self, connection: asyncpg.Connection, vector: list[float], bound: Bound, count: int
    ) -> Sequence[Hit]:
        """By the index, unless few are asked for or held, or it ends early."""
        exact = isinstance(bound, Only) or len(self._ids) <= self._indexing.exact
        hits = await self._ranked(connection, vector, bound, count, exact=exact)
        if exact or len(hits) == count:
            return hits
        return await self._ranked(connection, vector, bound, count, exact=True)

    async def _ranked(
        self,
        connection: asyncpg.Connection,
        vector: list[float],
        bound: Bound,
        count: int,
        *,
        exact: bool,
    ) -> Sequence[Hit]:
        settings = {"enable_indexscan": "off" if exact else "on"}
        if not exact:
            settings |= self._widened(count)
        for name, value in settings.items():
            await connection.execute("SELECT set_config($1, $2, true)", name, value)
        confined, ids = "", []
        if bound is not None:
            confined = "WHERE id = ANY($3)" if isinstance(bound, Only) else "WHERE id <> ALL($3)"
            ids = [bound.ids.tolist()]
        rows = await connection.fetch(
            "SELECT id, -(embedding <#> $1::real[]::vector) AS score "  # noqa: S608  # our own name
            f"FROM {self._table} {confined} ORDER BY embedding <#> $1::real[]::vector LIMIT $2",
            vector,
            count,
            *ids,
        )
        return [Hit(row["id"], float(row["score"])) for row in rows]

    def _widened(self, count: int) -> Mapping[str, str]:
        """As chosen, and wide enough for so many hits."""
        kind, chosen = self._indexing.kind, dict(self._indexing.search)
        if kind == "hnsw":
            chosen["ef_search"] = min(max(chosen["ef_search"], 2 * count), EF_LIMIT)
        settings = {f"{kind}.{name}": str(number) for name, number in chosen.items()}
        if self._iterates:
            order = "strict_order" if kind == "hnsw" else "relaxed_order"
            settings[f"{kind}.iterative_scan"] = order
        return settings


class PgVectorStore:
    """`orchestrator.ports.indexes.VectorStore` in tables whose names begin with `rag_`."""

    shared = True

    def __init__(
        self, postgres: Postgres, indexing: TableIndexing, *, reach: Reach = REACH
    ) -> None:
        self._postgres = postgres
        self._indexing = indexing
        self._reach = reach
        self._open: list[str] = []

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[PgVectors]:
        """Nothing is asked of the server until the index is."""
        table = table_of(key)
        self._open.append(table)
        try:
            yield PgVectors(
                self._postgres, key, visibility, self._indexing, self._reach, persist=persist
            )
        finally:
            self._open.remove(table)

    async def prune(self, workspace: str) -> None:
        """Drop the tables of indexes that are not open."""
        await self._erase(workspace, kept=self._open)

    async def drop(self, workspace: str) -> None:
        """Drop every table of the workspace."""
        await self._erase(workspace, kept=())

    async def ping(self) -> None:
        """Ask for pgvector's version."""
        await self._postgres.run(_version)

    async def close(self) -> None:
        """Disconnect."""
        await self._postgres.close()

    async def _erase(self, workspace: str, *, kept: Sequence[str]) -> None:
        tables = re.compile(rf"rag_{re.escape(workspace)}_g\d+_[0-9a-f]{{16}}_\d+")

        async def erase(connection: asyncpg.Connection) -> None:
            rows = await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
            )
            for name in (row["tablename"] for row in rows):
                if tables.fullmatch(name) and name not in kept:
                    await connection.execute(f"DROP TABLE {name}")

        await self._postgres.run(erase, limit_s=WRITE_S)


def table_of(key: IndexKey) -> str:
    """A table's name, at most 63 characters long."""
    if not re.fullmatch(r"[0-9a-f]+", key.workspace):
        raise ValueError(f"'{key.workspace}' is no workspace's uid")
    return f"rag_{key.workspace}_g{key.generation}_{key.digest}_{key.dimension}"


async def _version(connection: asyncpg.Connection) -> tuple[int, ...]:
    """Of pgvector in this database; nothing where it is not installed."""
    found = await connection.fetchval(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    )
    return tuple(int(part) for part in (found or "").split(".") if part)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unavailable(
            "pgvector",
            f"{error}: let a superuser run CREATE EXTENSION vector in this database, and give "
            "this user the right to create tables",
        ) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise Unavailable("pgvector", f"the server does not have the extension: {error}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = str(error) or "it does not answer in time"
        raise Unavailable("pgvector", reason) from error
