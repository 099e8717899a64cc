"""A retriever that understands a question before another one searches for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from orchestrator.answering.spelling import Spelling, corrected
from orchestrator.answering.understanding import also, understood
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage, Retrieval, StageScore
from orchestrator.domain.understanding import Correction, Understood
from orchestrator.domain.workspaces import Understanding
from orchestrator.ports.retriever import Retriever


class UnderstandingRetriever:
    """`orchestrator.ports.retriever.Retriever`; `Retrieval.understood` says what it made of it."""

    def __init__(self, inner: Retriever, how: Understanding, spelling: Spelling | None) -> None:
        self._inner = inner
        self._how = how
        self._spelling = spelling

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Search for the question as it was understood, and for its parts if that is wanted."""
        found, degraded = await self._understood(query)
        asked = replace(query, text=found.text_searched, synonyms=found.synonyms, lean=found.lean)
        texts = (asked.text, *found.parts)
        retrievals = await asyncio.gather(
            *(self._inner.retrieve(replace(asked, text=text), limit=limit) for text in texts)
        )
        missing = (*degraded, *(name for one in retrievals for name in one.degraded))
        passages = joined([one.passages for one in retrievals], limit=limit)
        return replace(
            retrievals[0],
            passages=passages,
            degraded=tuple(dict.fromkeys(missing)),
            understood=found,
        )

    async def _understood(self, query: Query) -> tuple[Understood, tuple[str, ...]]:
        corrections: tuple[Correction, ...] = ()
        degraded: tuple[str, ...] = ()
        if self._spelling:
            try:
                corrections = await self._spelling.corrections(query)
            except Unavailable:
                degraded = ("spelling",)
        found = understood(corrected(query.text, corrections))
        return (
            replace(
                found,
                corrections=corrections,
                synonyms=also(found.text_searched, self._how.synonyms),
                parts=found.parts if self._how.parts else (),
            ),
            degraded,
        )


def joined(rankings: Sequence[Sequence[Passage]], *, limit: int) -> Sequence[Passage]:
    """The first ranking is of the whole question, the others are of its parts.

    A passage counts as where it scored best; `part n` says what it was to the n-th part.
    """
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, Passage] = {one.chunk.id: one for one in rankings[0]}
    for number, ranking in enumerate(rankings[1:], start=1):
        for rank, one in enumerate(ranking, start=1):
            known = best.get(one.chunk.id)
            stages = {
                **(known.stages if known else {}),
                f"part {number}": StageScore(one.score, rank),
            }
            score = max(one.score, known.score) if known else one.score
            best[one.chunk.id] = replace(known or one, score=score, stages=stages)
    return sorted(best.values(), key=lambda one: (-one.score, one.chunk.id))[:limit]
