"""A keyword index in Milvus, by its own BM25: what is stored are words, stemmed, and no text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from pymilvus import DataType, Function, FunctionType, MilvusClient

from adapters.analysis import terms
from adapters.masks import Masks
from adapters.milvus import REACH, Layout, Milvus, Partition, partition_of, prune, within
from adapters.within import Bound, Reach, search_within
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import IndexKey, Visibility

LONGEST: Final = 65_535
"""Bytes of one text's words, beyond which Milvus takes none."""

FIRST: Final = (2, 5)
"""The version of Milvus that brought BM25."""


class MilvusKeywords:
    """`orchestrator.ports.indexes.KeywordIndex` in a partition."""

    def __init__(
        self, partition: Partition, visibility: Visibility, consistency: str, reach: Reach
    ) -> None:
        self._partition = partition
        self._visibility = visibility
        self._consistency = consistency
        self._reach = reach
        self._masks = Masks()

    async def held(self) -> Ids:
        """The ids in the partition."""
        return await self._partition.held()

    async def apply(self, ids: Ids, contents: Sequence[str], *, remove: Ids) -> None:
        """Put them in batches, then remove."""
        words = await asyncio.to_thread(lambda: [_words(text) for text in contents])
        rows = [
            {"id": chunk_id, "words": one}
            for chunk_id, one in zip(ids.tolist(), words, strict=True)
        ]
        await self._partition.write(rows, remove=remove)

    async def search(self, question: str, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Rank within the selection what shares a word."""
        held, words = self._partition.ids, _words(question)
        allowed = await asyncio.to_thread(
            lambda: self._masks.allowed(held, self._visibility.select(scope))
        )

        async def search(bound: Bound, count: int) -> Sequence[Hit]:
            rows = await self._partition.search(
                words,
                bound=within(bound),
                limit=count,
                consistency=self._consistency,
                metric_type="BM25",
                params={"drop_ratio_search": 0.0},
            )
            hits = [Hit(int(row["id"]), abs(float(row["distance"]))) for row in rows]
            return [hit for hit in hits if hit.score > 0]  # Milvus Lite negates what is found

        if not words:
            return []
        return await search_within(search, held, allowed, limit=limit, reach=self._reach)

    async def save(self) -> None:
        """Milvus has logged what it confirmed."""

    async def faults(self) -> Sequence[str]:
        """What the server keeps, it checks itself."""
        return ()


class MilvusKeywordStore:
    """`orchestrator.ports.indexes.KeywordStore` in collections whose names begin with `prefix`.

    Each reading of texts has one, by the key's model: Milvus Lite keeps an id once in each.
    """

    shared = True

    def __init__(
        self, milvus: Milvus, prefix: str, *, consistency: str = "Session", reach: Reach = REACH
    ) -> None:
        self._milvus = milvus
        self._prefix = f"{prefix}_keywords"
        self._consistency = consistency
        self._reach = reach
        self._open: list[str] = []

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[MilvusKeywords]:
        """Nothing is asked of Milvus until the index is."""
        layout = self._layout(key)
        place = f"{layout.name}/{partition_of(key)}"
        partition = Partition(self._milvus, layout, key, persist=persist)
        self._open.append(place)
        try:
            yield MilvusKeywords(partition, visibility, self._consistency, self._reach)
        finally:
            self._open.remove(place)

    async def prune(self, workspace: str) -> None:
        """Drop the partitions of indexes that are not open."""
        await prune(self._milvus, self._prefix, workspace, self._open)

    async def drop(self, workspace: str) -> None:
        """Drop every partition of the workspace."""
        await prune(self._milvus, self._prefix, workspace, ())

    async def ping(self) -> None:
        """Ask Milvus, and whether it has BM25."""
        require_bm25(await self._milvus.version())

    async def close(self) -> None:
        """Disconnect."""
        await self._milvus.close()

    def _layout(self, key: IndexKey) -> Layout:
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=LONGEST,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("bm25", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(Function("bm25", FunctionType.BM25, ["words"], ["bm25"]))
        index = MilvusClient.prepare_index_params()
        index.add_index("bm25", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
        name = f"{self._prefix}_{key.digest}"
        return Layout(name, "bm25", schema, index, check=require_bm25)


def require_bm25(version: str) -> None:
    """Refuse a server that is too old.

    Raises:
        Unavailable: saying which versions have it.
    """
    numbers = version.removeprefix("v").split("-")[0].split(".")
    if numbers[0].isdigit() and tuple(int(part) for part in numbers[:2]) < FIRST:
        raise Unavailable(
            "milvus", f"version {version} has no BM25: 2.5 has, and Milvus Lite", retry_after=60
        )


def _words(text: str) -> str:
    """What `adapters.analysis` makes of a text, each term a word that Milvus leaves whole."""
    words = " ".join(map(_whole, terms(text.encode("utf-8", "replace").decode())))
    return words.encode()[:LONGEST].decode("utf-8", "ignore")


def _whole(term: str) -> str:
    return term if term.isascii() and term.isalnum() else f"x{term.encode().hex()}"
