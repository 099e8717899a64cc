"""A reranker for tests and demonstrations: the share of the question's words that a passage has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.analysis import terms
from orchestrator.domain.answers import Query
from orchestrator.domain.documents import Chunk
from orchestrator.domain.passages import Passage, StageScore


class MockReranker:
    """`orchestrator.ports.reranker.Reranker` by word overlap; ties keep their order."""

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """Sort by overlap, which becomes the score."""
        wanted = set(terms(query.text))
        scored = [
            (len(wanted & set(terms(_said(passage.chunk)))) / (len(wanted) or 1), passage)
            for passage in passages
        ]
        scored.sort(key=lambda pair: -pair[0])
        return [
            replace(
                passage, score=score, stages={**passage.stages, "rerank": StageScore(score, rank)}
            )
            for rank, (score, passage) in enumerate(scored[:limit], start=1)
        ]


def _said(chunk: Chunk) -> str:
    return f"{chunk.section}\n{chunk.text}" if chunk.asked else chunk.text
