"""A keyword index by rank-bm25: in memory, rebuilt when it has changed; for small collections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from rank_bm25 import BM25Plus

from adapters.analysis import terms
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import IndexKey, Visibility


@dataclass(frozen=True, slots=True)
class _Built:
    ids: Ids
    bm25: BM25Plus


class RankBm25Keywords:
    """`orchestrator.ports.indexes.KeywordIndex` with BM25+ (Lv and Zhai, CIKM 2011)."""

    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility
        self._texts: dict[int, list[str]] = {}
        self._built: _Built | None = None
        self._building = asyncio.Lock()
        self._changes = 0

    async def held(self) -> Ids:
        """The ids of the texts."""
        return np.array(sorted(self._texts), np.int64)

    async def apply(self, ids: Ids, contents: Sequence[str], *, remove: Ids) -> None:
        """Change the texts; the statistics are made anew by the next search."""
        analysed = await asyncio.to_thread(lambda: [terms(text) for text in contents])
        for chunk_id in remove.tolist():
            self._texts.pop(chunk_id, None)
        self._texts.update(zip(ids.tolist(), analysed, strict=True))
        self._built = None
        self._changes += 1

    async def search(self, question: str, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Score every text that shares a word, keep what may be seen."""
        words = terms(question)
        async with self._building:
            built = self._built
            if built is None and any(self._texts.values()):
                texts, changes = dict(sorted(self._texts.items())), self._changes
                built = await asyncio.to_thread(_build, texts)
                if changes == self._changes:  # else what came meanwhile would never be found
                    self._built = built
        if built is None or not words:
            return []
        return await asyncio.to_thread(self._search, built, words, scope, limit)

    def terms(self, text: str) -> Sequence[str]:
        """Stems without stop words."""
        return terms(text)

    async def save(self) -> None:
        """Nothing to save."""

    async def faults(self) -> Sequence[str]:
        """Nothing is kept that could be damaged."""
        return ()

    def _search(
        self, built: _Built, words: Sequence[str], scope: Scope, limit: int
    ) -> Sequence[Hit]:
        seen = np.isin(built.ids, self._visibility.select(scope).ids, assume_unique=True)
        shared = np.zeros(len(built.ids), bool)
        for place, frequencies in enumerate(built.bm25.doc_freqs):
            shared[place] = any(word in frequencies for word in words)
        scores = np.where(seen & shared, built.bm25.get_scores(words), 0.0)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(int(built.ids[at]), float(scores[at])) for at in best if scores[at] > 0]


def _build(texts: dict[int, list[str]]) -> _Built:
    return _Built(np.array(list(texts), np.int64), BM25Plus(list(texts.values())))


class RankBm25Store:
    """`orchestrator.ports.indexes.KeywordStore` of indexes in memory."""

    shared = False

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[RankBm25Keywords]:
        """An empty index."""
        yield RankBm25Keywords(visibility)

    async def prune(self, workspace: str) -> None:
        """Nothing is kept."""

    async def drop(self, workspace: str) -> None:
        """Nothing is kept."""
