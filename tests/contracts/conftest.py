"""A catalog in a new SQLite file, its queue, and the default embedding model."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.catalog.database import Database
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from adapters.embedder.onnx import OnnxEmbedder, open_onnx
from adapters.presence import Presence
from adapters.queue.local import LocalQueue


@pytest.fixture
def path(migrated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated, tmp_path / "catalog.db"))


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    async with open_sqlite(path) as opened:
        yield opened


@pytest.fixture
def catalog(database: Database) -> SqlCatalog:
    return SqlCatalog(database)


@pytest.fixture
def presence(tmp_path: Path) -> Iterator[Presence]:
    with closing(Presence(tmp_path / "workers")) as opened:
        yield opened


@pytest.fixture
def queue(database: Database, presence: Presence) -> LocalQueue:
    return LocalQueue(database, presence)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def minilm(model_folder: Path) -> AsyncIterator[OnnxEmbedder]:
    async with open_onnx(model_folder, threads=1) as opened:
        yield opened
