"""Reranking: a second, closer look at what was retrieved."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.domain.answers import Query
from orchestrator.domain.passages import Passage


class Reranker(Protocol):
    """Reorders passages by a judgement of its own."""

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """The best `limit` of the passages given, best first; no others."""
        ...
