"""Judging an answer's statements by the passages that they cite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.grounding import Sentence
from orchestrator.domain.passages import Passage
from orchestrator.domain.statements import Statement, claims, known_words
from orchestrator.ports.verifier import Claim, Verifier


class Judge:
    """One answer's judge; while the verifier is down, words alone count, and `degraded` says so."""

    def __init__(
        self, verifier: Verifier, threshold: float, question: str, passages: Sequence[Passage]
    ) -> None:
        self._verifier = verifier
        self._threshold = threshold
        self._passages = passages
        self._question = question
        self.degraded: tuple[str, ...] = ()

    @cached_property
    def _known(self) -> frozenset[str]:
        above = [
            text for one in self._passages for text in (one.chunk.title, one.chunk.section or "")
        ]
        return known_words(self._question, *above)

    async def judged(self, found: Sequence[Statement]) -> list[Sentence]:
        """Each statement, as a sentence at its own place."""
        asked = {
            place: Claim(one.parts, tuple(self._passages[number - 1] for number in one.cites))
            for place, one in enumerate(found)
            if claims(one, self._known)
        }
        support = await self._support([one for one in asked.values() if one.passages])
        scores = iter(support)
        judged = []
        for place, one in enumerate(found):
            score = None
            if place in asked:
                score = next(scores) if asked[place].passages else 0.0
            supported = score is None or score >= self._threshold
            cites = one.cites if place in asked else ()
            judged.append(Sentence(one.start, one.end, cites, score, supported))
        return judged

    async def _support(self, asked: Sequence[Claim]) -> Sequence[float]:
        if not asked:
            return []
        if not self.degraded:
            try:
                return await self._verifier.support(asked)
            except Unavailable:
                self.degraded = ("verifier",)
        return await LexicalVerifier().support(asked)
