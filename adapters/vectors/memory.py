"""A vector index in one array: exact, and gone with the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np

from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.indexes import IndexKey, Visibility


class MemoryVectors:
    """`orchestrator.ports.indexes.VectorIndex` by matrix product."""

    def __init__(self, dimension: int, visibility: Visibility) -> None:
        self._visibility = visibility
        self._ids = np.empty(0, np.int64)
        self._matrix = np.empty((0, dimension), np.float32)

    async def held(self) -> Ids:
        """The ids in the array."""
        return self._ids

    async def apply(self, ids: Ids, contents: Sequence[Vector], *, remove: Ids) -> None:
        """Build the next array beside the present one."""
        stay = ~np.isin(self._ids, np.concatenate([ids, remove]))
        together = np.concatenate([self._ids[stay], ids])
        order = np.argsort(together)
        added = np.asarray(contents, np.float32).reshape(len(ids), self._matrix.shape[1])
        matrix = np.concatenate([self._matrix[stay], added])[order]
        self._ids, self._matrix = together[order], matrix

    async def search(self, question: Vector, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Score what may be seen, on a thread."""
        return await asyncio.to_thread(
            self._search, self._ids, self._matrix, question, scope, limit
        )

    async def save(self) -> None:
        """Nothing to save."""

    async def faults(self) -> Sequence[str]:
        """Nothing is kept that could be damaged."""
        return ()

    def _search(
        self, ids: Ids, matrix: Vector, question: Vector, scope: Scope, limit: int
    ) -> Sequence[Hit]:
        seen = np.isin(ids, self._visibility.select(scope).ids, assume_unique=True)
        scores = matrix[seen] @ question
        best = np.argsort(-scores, kind="stable")[:limit]
        return [
            Hit(int(chunk_id), float(score))
            for chunk_id, score in zip(ids[seen][best], scores[best], strict=True)
        ]


class MemoryVectorStore:
    """`orchestrator.ports.indexes.VectorStore` of indexes in memory."""

    shared = False

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[MemoryVectors]:
        """An empty index."""
        yield MemoryVectors(key.dimension, visibility)

    async def prune(self, workspace: str) -> None:
        """Nothing is kept."""

    async def drop(self, workspace: str) -> None:
        """Nothing is kept."""
