"""Indexes in Milvus keep the promises of every index: in a file, and in a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from pymilvus import MilvusClient

from adapters.keywords.milvus import MilvusKeywordStore, require_bm25
from adapters.milvus import Access, Milvus
from adapters.vectors.milvus import MilvusVectorStore, VectorIndexing
from adapters.within import Reach
from orchestrator.contracts.indexes import (
    KeywordIndexContract,
    SharedKeywordIndexContract,
    SharedVectorIndexContract,
    VectorIndexContract,
)
from orchestrator.contracts.ledger import NOTHING, WORKSPACE, ids_of
from orchestrator.contracts.sharing import OTHER
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.indexes import IndexKey
from tests.builders import Ledger, free_port

PATIENCE_S = 60.0
NARROW = Reach(names=20, hits=400)
"""So little that every way of asking is gone."""

HNSW = VectorIndexing("HNSW", {"M": 16, "efConstruction": 200}, {"ef": 128})
EXACT = VectorIndexing("FLAT")
Open: TypeAlias = Callable[..., Any]


@pytest.fixture(scope="session")
def milvus_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a Milvus Lite."""
    return str(tmp_path_factory.mktemp("milvus-lite") / "indexes.db")


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Makes a store of a kind at an address; its contracts' workspaces are dropped at the end."""
    async with AsyncExitStack() as stack:

        def made(kind: Any, uri: str, *further: Any, timeout_s: float = PATIENCE_S) -> Any:
            store = kind(Milvus(Access(uri, timeout_s=timeout_s)), *further)
            stack.push_async_callback(store.close)
            if timeout_s == PATIENCE_S:
                stack.push_async_callback(store.drop, WORKSPACE)
                stack.push_async_callback(store.drop, OTHER)
            return store

        yield made


@pytest.fixture
def absent_uri() -> str:
    return f"http://127.0.0.1:{free_port()}"


class TestMilvusLiteVectors(VectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_file: str) -> MilvusVectorStore:
        return opened(partial(MilvusVectorStore, reach=NARROW), milvus_file, "lite", EXACT)


class TestMilvusVectors(VectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_uri: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, milvus_uri, "served", HNSW)


class TestMilvusLiteVectorsShared(SharedVectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_file: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, milvus_file, "shared", EXACT)

    @pytest.fixture
    def another(self, opened: Open, milvus_file: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, milvus_file, "shared", EXACT)

    @pytest.fixture
    def absent(self, opened: Open, tmp_path: Path) -> MilvusVectorStore:
        (tmp_path / "file").touch()
        uri = str(tmp_path / "file" / "vectors.db")
        return opened(MilvusVectorStore, uri, "shared", EXACT, timeout_s=0.5)


class TestMilvusVectorsShared(SharedVectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_uri: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, milvus_uri, "shared", HNSW)

    @pytest.fixture
    def another(self, opened: Open, milvus_uri: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, milvus_uri, "shared", HNSW)

    @pytest.fixture
    def absent(self, opened: Open, absent_uri: str) -> MilvusVectorStore:
        return opened(MilvusVectorStore, absent_uri, "shared", HNSW, timeout_s=0.5)


class TestMilvusLiteKeywords(KeywordIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_file: str) -> MilvusKeywordStore:
        return opened(MilvusKeywordStore, milvus_file, "lite")


class TestMilvusLiteKeywordsShared(SharedKeywordIndexContract):
    @pytest.fixture
    def store(self, opened: Open, milvus_file: str) -> MilvusKeywordStore:
        return opened(MilvusKeywordStore, milvus_file, "shared")

    @pytest.fixture
    def another(self, opened: Open, milvus_file: str) -> MilvusKeywordStore:
        return opened(MilvusKeywordStore, milvus_file, "shared")

    @pytest.fixture
    def absent(self, opened: Open, absent_uri: str) -> MilvusKeywordStore:
        return opened(MilvusKeywordStore, absent_uri, "shared", timeout_s=0.5)


@pytest.mark.parametrize(
    "indexing",
    [
        VectorIndexing("FLAT"),
        VectorIndexing("IVF_FLAT", {"nlist": 16}, {"nprobe": 8}),
        VectorIndexing("IVF_SQ8", {"nlist": 16}, {"nprobe": 8}),
        VectorIndexing("AUTOINDEX"),
    ],
    ids=lambda indexing: indexing.kind,
)
@pytest.mark.parametrize("where", ["file", "server"])
async def test_every_kind_of_index_finds_the_nearest(opened, request, where, indexing):
    uri = request.getfixturevalue({"file": "milvus_file", "server": "milvus_uri"}[where])
    store = opened(MilvusVectorStore, uri, indexing.kind.lower().replace("_", ""), indexing)
    ledger = Ledger()
    ids = ledger.publish(300)
    vectors = np.random.default_rng(3).normal(size=(300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    key = IndexKey(WORKSPACE, 1, "model", 8)
    async with store.open(key, ledger.roster, persist=True) as index:
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)

        hits = await index.search(vectors[7], scope=ledger.scope(), limit=5)

    assert hits[0].chunk_id == ids[7]
    assert len(hits) == 5


@pytest.mark.parametrize("where", ["file", "server"])
async def test_a_collection_that_was_left_half_made_is_completed(opened, request, where):
    uri = request.getfixturevalue({"file": "milvus_file", "server": "milvus_uri"}[where])
    store, ledger = opened(MilvusVectorStore, uri, f"half{where}", HNSW), Ledger()
    ids, key = ledger.publish(1), IndexKey(WORKSPACE, 1, "model", 2)
    layout = store._layout(key)
    client = MilvusClient(uri)
    client.create_collection(layout.name, schema=layout.schema)

    async with store.open(key, ledger.roster, persist=True) as index:
        await index.held()
        await index.apply(ids_of(ids), [np.array([1, 0], np.float32)], remove=NOTHING)
        hits = await index.search(np.array([1, 0], np.float32), scope=ledger.scope(), limit=1)

    assert [hit.chunk_id for hit in hits] == ids
    client.close()


async def test_a_server_without_bm25_says_so(opened, milvus_uri):
    store = opened(MilvusKeywordStore, milvus_uri, "words")
    ledger = Ledger()
    async with store.open(IndexKey(WORKSPACE, 1), ledger.roster, persist=True) as index:
        with pytest.raises(Unavailable, match=r"2\.3\.5.* has no BM25"):
            await index.held()
    with pytest.raises(Unavailable, match="no BM25"):
        await store.ping()


@pytest.mark.parametrize("version", ["v2.5.0", "2.6.1", "milvus_lite-3.2.2", "v3.0-beta"])
def test_later_versions_have_bm25(version):
    require_bm25(version)
