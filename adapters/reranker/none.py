"""No reranking: what was retrieved, in its order."""

from collections.abc import Sequence

from orchestrator.domain.answers import Query
from orchestrator.domain.passages import Passage


class NoReranker:
    """`orchestrator.ports.reranker.Reranker` that only cuts."""

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """The first `limit`."""
        return passages[:limit]
