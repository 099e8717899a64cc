"""A retriever that understands a question before another one searches for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.answering.rewriting import MISSING
from orchestrator.answering.spelling import Spelling, corrected
from orchestrator.answering.understanding import also, understood
from orchestrator.domain.answers import MAX_QUERY_CHARACTERS, Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage, Retrieval, StageScore
from orchestrator.domain.understanding import Correction, Understood
from orchestrator.domain.workspaces import Understanding
from orchestrator.ports.retriever import Retriever
from orchestrator.ports.rewriter import Rewriter


class UnderstandingRetriever:
    """`orchestrator.ports.retriever.Retriever`; `Retrieval.understood` says what it made of it."""

    def __init__(
        self,
        inner: Retriever,
        how: Understanding,
        spelling: Spelling | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self._inner = inner
        self._how = how
        self._spelling = spelling
        self._rewriter = rewriter

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Search for the question as it was understood, and for what else is wanted of it."""
        found, degraded = await self._understood(query)
        asked = replace(query, text=found.text_searched, synonyms=found.synonyms, lean=found.lean)
        texts = {f"part {number}": text for number, text in enumerate(found.parts, start=1)}
        try:
            texts |= await self._rewritten(asked)
        except MISSING:
            degraded = (*degraded, "rewriting")
        first, *others = await self._found(asked, [asked.text, *texts.values()], limit)
        missing = (*degraded, *(name for one in (first, *others) for name in one.degraded))
        rankings = {name: one.passages for name, one in zip(texts, others, strict=True)}
        return replace(
            first,
            passages=joined(first.passages, rankings, limit=limit),
            degraded=tuple(dict.fromkeys(missing)),
            understood=found,
        )

    async def _found(self, query: Query, texts: Sequence[str], limit: int) -> Sequence[Retrieval]:
        """What is found for each text, at the same time; a single one needs no task of its own."""
        found = [self._inner.retrieve(replace(query, text=one), limit=limit) for one in texts]
        return [await found[0]] if len(found) == 1 else await asyncio.gather(*found)

    async def _rewritten(self, query: Query) -> dict[str, str]:
        if self._rewriter is None:
            return {}
        texts = {}
        if count := self._how.paraphrases:
            wordings = await self._rewriter.paraphrases(query, count=count)
            for number, text in enumerate(wordings[:count], start=1):
                texts[f"paraphrase {number}"] = text
        if self._how.imagined:
            texts["imagined"] = await self._rewriter.imagined(query)
        return {name: text[:MAX_QUERY_CHARACTERS] for name, text in texts.items() if text.strip()}

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


def joined(
    whole: Sequence[Passage], others: Mapping[str, Sequence[Passage]], *, limit: int
) -> Sequence[Passage]:
    """The ranking of the whole question and those of other texts as one.

    A passage counts as where it scored best; a stage by each text's name says what it was there.
    """
    if not others:
        return whole
    best: dict[int, Passage] = {one.chunk.id: one for one in whole}
    for name, ranking in others.items():
        for rank, one in enumerate(ranking, start=1):
            known = best.get(one.chunk.id)
            stages = {**(known or one).stages, name: StageScore(one.score, rank)}
            score = max(one.score, known.score) if known else one.score
            best[one.chunk.id] = replace(known or one, score=score, stages=stages)
    return sorted(best.values(), key=lambda one: (-one.score, one.chunk.id))[:limit]
