"""The catalog and its queue keep every promise in PostgreSQL, too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from sqlalchemy import text

from adapters.catalog.postgresql import PostgresDatabase, open_postgresql
from adapters.catalog.schema import HEAD, metadata
from adapters.catalog.sql import SqlCatalog
from adapters.queue.local import LocalQueue
from orchestrator.contracts.catalog import CatalogContract
from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.queue import QueueContract
from orchestrator.domain.errors import Unavailable

EMPTY = ", ".join(f'"{table}"' for table in metadata.tables)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(postgresql_url: str) -> str:
    """The same, with the tables made by the migrations."""
    async with open_postgresql(postgresql_url, timeout_s=10):
        return postgresql_url


@pytest.fixture
async def database(migrated: str) -> AsyncIterator[PostgresDatabase]:
    async with open_postgresql(migrated, timeout_s=10) as opened:
        async with opened.write() as connection:
            await connection.execute(text(f"TRUNCATE {EMPTY}"))
        yield opened


class TestPostgresCatalog(CatalogContract):
    @pytest.fixture
    async def clerk(self, catalog: SqlCatalog, queue: LocalQueue) -> Clerk:
        return await Clerk.of(catalog, queue)

    @pytest.fixture
    async def another(self, migrated: str) -> AsyncIterator[SqlCatalog]:
        async with open_postgresql(migrated, timeout_s=10) as opened:
            yield SqlCatalog(opened)


class TestLocalQueueInPostgresql(QueueContract):
    """Its claims are rows like any other."""


@asynccontextmanager
async def new_database(postgresql_url: str) -> AsyncIterator[str]:
    name = f"rag_{uuid.uuid4().hex}"
    async with open_postgresql(postgresql_url, timeout_s=10) as opened:
        engine = opened._reader.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql(f"CREATE DATABASE {name}")
            yield postgresql_url.replace("/postgres?", f"/{name}?")
            await connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


async def test_processes_that_start_at_once_migrate_once(migrated):
    async with new_database(migrated) as url:
        first, *rest = await asyncio.gather(*(version_of(url) for _ in range(4)))

    assert first == HEAD
    assert rest == [first] * 3


async def version_of(url: str) -> str:
    async with open_postgresql(url, timeout_s=10) as database, database.read() as connection:
        return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()


async def test_a_server_that_does_not_answer_is_unavailable():
    with pytest.raises(Unavailable):
        await open_postgresql("postgresql://127.0.0.1:9/rag", timeout_s=1).__aenter__()


async def test_a_snapshot_does_not_see_what_comes_after_it(database, catalog, queue):
    clerk = await Clerk.of(catalog, queue)
    async with database.read() as connection:
        before = (await connection.execute(text("SELECT count(*) FROM documents"))).scalar()
        await clerk.keep("Refunds are paid.")
        after = (await connection.execute(text("SELECT count(*) FROM documents"))).scalar()

    assert (before, after) == (0, 0)
