"""A real catalog and real blobs in a new folder, beside fakes that can be down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.blobs.filesystem import FilesystemBlobs
from adapters.catalog.database import Database
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from adapters.presence import Presence
from adapters.queue.local import LocalQueue
from orchestrator.contracts.clerk import Clerk


@pytest.fixture
async def database(data_dir: Path) -> AsyncIterator[Database]:
    async with open_sqlite(data_dir / "catalog.db") as opened:
        yield opened


@pytest.fixture
def catalog(database: Database) -> SqlCatalog:
    return SqlCatalog(database)


@pytest.fixture
def queue(database: Database, data_dir: Path) -> Iterator[LocalQueue]:
    with closing(Presence(data_dir / "workers")) as presence:
        yield LocalQueue(database, presence)


@pytest.fixture
def blobs(data_dir: Path) -> FilesystemBlobs:
    return FilesystemBlobs(data_dir / "blobs")


@pytest.fixture
async def clerk(catalog: SqlCatalog, queue: LocalQueue) -> Clerk:
    return await Clerk.of(catalog, queue, "policies")
