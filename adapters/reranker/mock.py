"""A reranker for tests and demonstrations: the share of the question's words that a passage has."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.analysis import terms
from adapters.reranker.judged import ranked, read_of
from orchestrator.domain.answers import Query
from orchestrator.domain.passages import Passage


class MockReranker:
    """`orchestrator.ports.reranker.Reranker` by word overlap; ties keep their order."""

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """Sort by overlap, which becomes the score."""
        wanted = set(terms(query.text))
        scores = [
            len(wanted & set(terms(read_of(passage.chunk)))) / (len(wanted) or 1)
            for passage in passages
        ]
        return ranked(passages, scores, limit=limit)
