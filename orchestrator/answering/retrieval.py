"""Retrievers over a workspace's own indexes: dense, keyword, and both at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from orchestrator.answering.fusion import alone, fuse
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Hit, Passage, Retrieval
from orchestrator.domain.workspaces import Fusion
from orchestrator.indexing.projection import Projection
from orchestrator.ports.arrays import Vector
from orchestrator.ports.embedder import Embedder

Side: TypeAlias = Callable[[Query, int], Awaitable[Sequence[Hit]]]
"""One way to search: a question and a limit to hits, best first."""

Reader: TypeAlias = Callable[[Sequence[Candidate], Scope], Awaitable[Sequence[Passage]]]
"""Candidates to passages, in order."""


def dense_side(embedder: Embedder, vectors: Projection[Vector, Vector]) -> Side:
    """Search by the question's embedding."""

    async def search(query: Query, limit: int) -> Sequence[Hit]:
        vector = await embedder.embed_query(query.text)
        return await vectors.search(vector, scope=query.scope, limit=limit)

    return search


def keyword_side(keywords: Projection[str, str]) -> Side:
    """Search by the question's words, and their synonyms."""

    async def search(query: Query, limit: int) -> Sequence[Hit]:
        words = " ".join((query.text, *query.synonyms))
        return await keywords.search(words, scope=query.scope, limit=limit)

    return search


class SingleRetriever:
    """`orchestrator.ports.retriever.Retriever` with one side, named by its stage."""

    def __init__(self, stage: str, side: Side, read: Reader) -> None:
        self._stage = stage
        self._side = side
        self._read = read

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Search the side; when it is down, so is retrieval."""
        hits = await self._side(query, limit)
        return Retrieval(await self._read(alone(self._stage, hits), query.scope))


class HybridRetriever:
    """`orchestrator.ports.retriever.Retriever` over dense and keyword search, concurrently.

    Each side gives `depth` hits to the fusion. One side down is a degraded retrieval.
    """

    def __init__(
        self, sides: Mapping[str, Side], read: Reader, *, fusion: Fusion, depth: int
    ) -> None:
        self._sides = sides
        self._read = read
        self._fusion = fusion
        self._depth = depth

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Search both sides, fuse what answered, and say what did not."""
        depth = max(self._depth, limit)
        found = await asyncio.gather(
            *(_attempt(side, query, depth) for side in self._sides.values())
        )
        outcomes = dict(zip(self._sides, found, strict=True))
        rankings = {s: hits for s, hits in outcomes.items() if not isinstance(hits, Unavailable)}
        if not rankings:
            raise Unavailable("retrieval", "; ".join(str(error) for error in found))
        degraded = tuple(f"{stage}_retrieval" for stage in outcomes if stage not in rankings)
        fusion = self._fusion.leaning(query.lean) if len(rankings) > 1 else None
        candidates = (
            fuse(rankings, fusion, limit=limit, explain=query.explain)
            if fusion
            else [c for stage, hits in rankings.items() for c in alone(stage, hits)][:limit]
        )
        return Retrieval(await self._read(candidates, query.scope), degraded, fusion=fusion)


async def _attempt(side: Side, query: Query, limit: int) -> Sequence[Hit] | Unavailable:
    try:
        return await side(query, limit)
    except Unavailable as error:
        return error
