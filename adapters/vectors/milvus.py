"""A vector index in Milvus: one collection for each model and dimension."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pymilvus import DataType, MilvusClient

from adapters.masks import Masks
from adapters.milvus import REACH, Layout, Milvus, Partition, partition_of, prune, within
from adapters.within import Bound, Only, Reach, search_within
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.indexes import IndexKey, Visibility

EF_LIMIT: Final = 32_768


@dataclass(frozen=True, slots=True)
class VectorIndexing:
    """Which index Milvus builds, how it is searched, and how fresh a search must be.

    `search` are the parameters of Milvus's own for the kind: `ef`, or `nprobe`.
    """

    kind: str = "HNSW"
    build: Mapping[str, int] = field(default_factory=dict)
    search: Mapping[str, int] = field(default_factory=dict)
    consistency: str = "Session"


class MilvusVectors:
    """`orchestrator.ports.indexes.VectorIndex` in a partition."""

    def __init__(
        self, partition: Partition, visibility: Visibility, indexing: VectorIndexing, reach: Reach
    ) -> None:
        self._partition = partition
        self._visibility = visibility
        self._indexing = indexing
        self._reach = reach
        self._masks = Masks()

    async def held(self) -> Ids:
        """The ids in the partition."""
        return await self._partition.held()

    async def apply(self, ids: Ids, contents: Sequence[Vector], *, remove: Ids) -> None:
        """Put them in batches, then remove."""
        rows = [
            {"id": chunk_id, "vector": vector}
            for chunk_id, vector in zip(ids.tolist(), contents, strict=True)
        ]
        await self._partition.write(rows, remove=remove)

    async def search(self, question: Vector, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Rank within the selection."""
        held = self._partition.ids
        allowed = await asyncio.to_thread(
            lambda: self._masks.allowed(held, self._visibility.select(scope))
        )

        async def search(bound: Bound, count: int) -> Sequence[Hit]:
            rows = await self._partition.search(
                question,
                bound=within(bound),
                limit=count,
                consistency=self._indexing.consistency,
                metric_type="IP",
                params=self._parameters(count, whole=isinstance(bound, Only)),
            )
            return [Hit(int(row["id"]), float(row["distance"])) for row in rows]

        return await search_within(search, held, allowed, limit=limit, reach=self._reach)

    async def save(self) -> None:
        """Milvus has logged what it confirmed."""

    async def faults(self) -> Sequence[str]:
        """What the server keeps, it checks itself."""
        return ()

    def _parameters(self, count: int, *, whole: bool) -> Mapping[str, int]:
        """As chosen; wider for many hits, and everywhere where only a few chunks are asked for."""
        chosen = dict(self._indexing.search)
        if "ef" in chosen:
            chosen["ef"] = min(max(chosen["ef"], 2 * count), EF_LIMIT)
        if "nprobe" in chosen and (whole or count > self._reach.hits // 16):
            chosen["nprobe"] = self._indexing.build["nlist"]
        return chosen


class MilvusVectorStore:
    """`orchestrator.ports.indexes.VectorStore` in collections whose names begin with `prefix`."""

    shared = True

    def __init__(
        self, milvus: Milvus, prefix: str, indexing: VectorIndexing, *, reach: Reach = REACH
    ) -> None:
        self._milvus = milvus
        self._prefix = f"{prefix}_vectors_"
        self._indexing = indexing
        self._reach = reach
        self._open: list[str] = []

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[MilvusVectors]:
        """Nothing is asked of Milvus until the index is."""
        layout = self._layout(key)
        place = f"{layout.name}/{partition_of(key)}"
        partition = Partition(self._milvus, layout, key, persist=persist)
        self._open.append(place)
        try:
            yield MilvusVectors(partition, visibility, self._indexing, self._reach)
        finally:
            self._open.remove(place)

    async def prune(self, workspace: str) -> None:
        """Drop the partitions of indexes that are not open."""
        await prune(self._milvus, self._prefix, workspace, self._open)

    async def drop(self, workspace: str) -> None:
        """Drop every partition of the workspace."""
        await prune(self._milvus, self._prefix, workspace, ())

    async def ping(self) -> None:
        """Ask Milvus."""
        await self._milvus.ping()

    async def close(self) -> None:
        """Disconnect."""
        await self._milvus.close()

    def _layout(self, key: IndexKey) -> Layout:
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=key.dimension)
        index = MilvusClient.prepare_index_params()
        kind, build = self._indexing.kind, dict(self._indexing.build)
        index.add_index("vector", index_type=kind, metric_type="IP", params=build)
        return Layout(f"{self._prefix}{key.digest}_{key.dimension}", "vector", schema, index)
