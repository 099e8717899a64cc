"""Vectors in PostgreSQL keep the promises of every index, with one of pgvector's or without."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import numpy as np
import pytest

from adapters.vectors.pgvector import PgVectorStore, Postgres, TableIndexing
from adapters.within import Reach
from orchestrator.contracts.indexes import SharedVectorIndexContract, VectorIndexContract
from orchestrator.contracts.ledger import NOTHING, WORKSPACE, ids_of
from orchestrator.contracts.sharing import OTHER
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.indexes import IndexKey
from tests.builders import Ledger, free_port

KEY = IndexKey(WORKSPACE, 1, "model", 16)
HNSW = TableIndexing("hnsw", {"m": 16, "ef_construction": 64}, {"ef_search": 100})
IVFFLAT = TableIndexing("ivfflat", {"lists": 4}, {"probes": 4}, exact=0)
NARROW = Reach(names=20, hits=400)
"""So little that every way of asking is gone."""

Open: TypeAlias = Callable[[TableIndexing], PgVectorStore]


@pytest.fixture
async def opened(postgresql_url: str) -> AsyncIterator[Open]:
    """Makes a store; what the contracts put there is dropped at the end."""
    async with AsyncExitStack() as stack:

        def made(indexing: TableIndexing) -> PgVectorStore:
            store = PgVectorStore(Postgres(postgresql_url, timeout_s=10), indexing, reach=NARROW)
            stack.push_async_callback(store.close)
            stack.push_async_callback(store.drop, WORKSPACE)
            stack.push_async_callback(store.drop, OTHER)
            return store

        yield made


class TestPgVectors(VectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open) -> PgVectorStore:
        return opened(HNSW)


class TestPgVectorsByIvfflat(VectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open) -> PgVectorStore:
        return opened(IVFFLAT)


class TestPgVectorsShared(SharedVectorIndexContract):
    @pytest.fixture
    def store(self, opened: Open) -> PgVectorStore:
        return opened(HNSW)

    @pytest.fixture
    def another(self, opened: Open) -> PgVectorStore:
        return opened(HNSW)

    @pytest.fixture
    def absent(self) -> PgVectorStore:
        url = f"postgresql://127.0.0.1:{free_port()}/rag"
        return PgVectorStore(Postgres(url, timeout_s=1), HNSW)


def clustered(count: int) -> Any:
    chance = np.random.default_rng(5)
    centres = chance.normal(size=(20, KEY.dimension))
    vectors = (
        centres[chance.integers(0, 20, count)] + chance.normal(size=(count, KEY.dimension)) / 2
    )
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    "indexing",
    [
        TableIndexing("hnsw", {"m": 16, "ef_construction": 64}, {"ef_search": 100}, exact=0),
        TableIndexing("ivfflat", {"lists": 20}, {"probes": 10}, exact=0),
        TableIndexing("none", exact=0),
    ],
    ids=lambda indexing: indexing.kind,
)
@pytest.mark.parametrize("share", [1.0, 0.5])
async def test_by_an_index_nearly_all_of_the_nearest_are_found(opened, indexing, share):
    ledger, vectors = Ledger(), clustered(1500)
    board = ledger.publish(int(1500 * (1 - share)), acl={"board"})
    everyone = ledger.publish(1500 - len(board))
    async with opened(indexing).open(KEY, ledger.roster, persist=True) as index:
        await index.apply(ids_of([*board, *everyone]), list(vectors), remove=NOTHING)
        await index.save()
        found = 0
        for question in clustered(20):
            hits = await index.search(question, scope=ledger.scope(), limit=10)
            best = np.argsort(-(vectors[len(board) :] @ question))[:10] + len(board) + 1
            found += len({hit.chunk_id for hit in hits} & {*best.tolist()})

    assert found >= 190


async def test_who_may_not_install_pgvector_is_told_what_to_do(postgresql, postgresql_url):
    name = f"rag_{uuid.uuid4().hex}"
    postgresql.psql(f"CREATE DATABASE {name};")
    postgresql.psql(f"CREATE ROLE {name} LOGIN;")
    postgresql.psql(f"GRANT CREATE ON DATABASE {name} TO {name};")
    url = postgresql.get_uri(name).replace("postgres:", f"{name}:", 1)
    assert name in url.partition("@")[0]
    store = PgVectorStore(Postgres(url, timeout_s=10), HNSW)
    async with store.open(KEY, Ledger().roster, persist=True) as index:
        with pytest.raises(Unavailable, match="CREATE EXTENSION vector"):
            await index.held()
    await store.close()


async def test_vectors_that_are_too_long_for_an_index_are_refused_with_the_way_out(opened):
    key = IndexKey(WORKSPACE, 1, "model", 3072)
    async with opened(HNSW).open(key, Ledger().roster, persist=True) as index:
        with pytest.raises(Unavailable, match="set 'index' to 'none'"):
            await index.held()
    async with opened(TableIndexing("none")).open(key, Ledger().roster, persist=True) as index:
        assert (await index.held()).tolist() == []
