"""Answers by quotation: the sentences that answer, each with its citation, or none. No model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from adapters.generator.candidates import Candidate, candidates
from adapters.generator.quoting import Budget, quotes
from adapters.generator.remembering import RememberedSentences
from adapters.generator.weighing import (
    ANSWERED,
    ANSWERED_BY_WORDS,
    LEXICAL,
    SEMANTIC,
    Question,
    Signs,
    nearest_of,
    probability,
    weighed,
)
from orchestrator.domain.answers import NOT_FOUND, Outcome, Query, Token
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage
from orchestrator.ports.embedder import Embedder

CLOSER: Final = 12
"""So many sentences are looked at closer, and compared by meaning."""


class ExtractiveGenerator:
    """`orchestrator.ports.generator.Generator` that quotes about `words` words.

    They are of at most `sentences` sentences. It answers where the evidence, an estimate in
    [0, 1] that the passages do answer, is at least `evidence`. While the embedder is down,
    words alone count.
    """

    def __init__(
        self, *, words: int, sentences: int, evidence: float, embedder: Embedder | None = None
    ) -> None:
        self._budget = Budget(words, sentences)
        self._evidence = evidence
        self._embedder = embedder
        self._sentences = RememberedSentences(embedder) if embedder else None

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """The best quotes in the order of their worth; `NOT_FOUND` where evidence is weak."""
        sentences = candidates(passages)
        question = Question(query.text, passages, sentences)
        closer = _closer(question, sentences)
        likeness, degraded = await self._likeness(query.text, closer)
        scored = _scored(closer, likeness)
        evidence = _evidence(question, scored[0][1], likeness) if scored else 0.0
        found = quotes(question, scored, self._budget) if evidence >= self._evidence else []
        if not found:
            yield Token(NOT_FOUND)
            yield Outcome(answerable=False, degraded=degraded, evidence=evidence)
            return
        for number, one in enumerate(found):
            text = f"{one.text} [{one.passage + 1}]"
            yield Token(f" {text}" if number else text)
        yield Outcome(answerable=True, degraded=degraded, evidence=evidence)

    async def _likeness(
        self, question: str, closer: Sequence[tuple[Signs, Candidate]]
    ) -> tuple[list[float] | None, tuple[str, ...]]:
        """How much each means what is asked, None where that is not known; and who is missing."""
        if self._embedder is None or self._sentences is None or not closer:
            return None, ()
        try:
            asked = await self._embedder.embed_query(question)
            vectors = await self._sentences.embed([one.meaning for _, one in closer])
        except Unavailable:
            return None, ("embedder",)
        return (vectors @ asked).tolist(), ()


def _closer(question: Question, sentences: Sequence[Candidate]) -> list[tuple[Signs, Candidate]]:
    """The sentences that are best by their words."""
    signs = [(question.signs(one), one) for one in sentences]
    return sorted(signs, key=lambda pair: -weighed(LEXICAL, pair[0]))[:CLOSER]


def _scored(
    closer: Sequence[tuple[Signs, Candidate]], likeness: Sequence[float] | None
) -> list[tuple[float, Candidate]]:
    """Sentences with their scores, best first."""
    if likeness is None:
        return [(weighed(LEXICAL, signs), one) for signs, one in closer]
    nearest = nearest_of([one for _, one in closer], likeness)
    scored = [
        (weighed(SEMANTIC, signs._replace(nearest=near, likeness=like)), one)
        for (signs, one), near, like in zip(closer, nearest, likeness, strict=True)
    ]
    return sorted(scored, key=lambda pair: -pair[0])


def _evidence(question: Question, best: Candidate, likeness: Sequence[float] | None) -> float:
    """How likely it is that the passages answer."""
    known = question.evidence(best, max(likeness) if likeness else None)
    if known is None:
        return 0.0
    return probability(weighed(ANSWERED if likeness else ANSWERED_BY_WORDS, known))
