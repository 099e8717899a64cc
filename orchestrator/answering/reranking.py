"""Reranking only where it may matter: not where the first passage is ahead of all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from orchestrator.domain.answers import Query
from orchestrator.domain.context import skip
from orchestrator.domain.passages import Passage
from orchestrator.ports.reranker import Reranker

FEWEST: Final = 3
"""Of fewer passages than these, no lead can be told from the spread of all."""


def lead(scores: Sequence[float]) -> float:
    """How far the first is ahead, in [0, 1]: its lead over the second, by that over the last.

    The scores fall. Moving or scaling all of them changes nothing, so that one threshold means
    the same for ranks, normalised scores and cosines: 0 is a tie at the top, and 1 a first
    passage before others that are all alike. Of fewer than three, it is 0.
    """
    spread = scores[0] - scores[-1] if len(scores) >= FEWEST else 0.0
    return (scores[0] - scores[1]) / spread if spread > 0 else 0.0


class ConditionalReranker:
    """`orchestrator.ports.reranker.Reranker` that is not asked where the lead is `margin` or more.

    A neighbour has the score of its hit, and is no rival to it.
    `skipped` is told each time; so is the request, for its `meta.skipped`.
    """

    def __init__(self, inner: Reranker, *, margin: float, skipped: Callable[[], None]) -> None:
        self._inner = inner
        self._margin = margin
        self._skipped = skipped

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """The inner reranker's order, or what was retrieved in its own."""
        hits = [one for one in passages if "neighbour" not in one.stages]
        if lead([one.score for one in hits]) < self._margin:
            return await self._inner.rerank(query, passages, limit=limit)
        self._skipped()
        skip("reranker")
        return passages[:limit]
