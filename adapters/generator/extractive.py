"""Answers by quotation: the sentences that answer, each with its citation, or none. No model."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from adapters.analysis import STOP_WORDS, WORD, stem, terms
from adapters.generator.asked import lacks_what_is_asked, unknown_identifiers
from orchestrator.domain.answers import NOT_FOUND, Outcome, Query, Token
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import quotable, sentences, without_markers
from orchestrator.ports.embedder import Embedder

_ASKS_NAME: Final = re.compile(r"\b(?:who|whose|whom|where)\b", re.IGNORECASE)

AROUND: Final = 0.3
"""What a word of the question is worth in the title, the section or the next sentence."""
RANK: Final = 2.0
"""What a point of retrieval score is worth, against the share of the question's words."""
TYPE: Final = 0.3
"""What it is worth that a sentence has the kind of thing that is asked for."""
CLOSER: Final = 4
"""So many sentences are compared by meaning, too."""
SECOND: Final = 0.7
"""A further sentence is quoted if it scores so much of the best one."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A candidate: its place, what is quoted of it, what it says, its words, and those around."""

    passage: int
    start: int
    text: str
    meaning: str
    words: frozenset[str]
    around: frozenset[str]


_Compared: TypeAlias = tuple[float, _Sentence, float | None]
"""A sentence with its score, and its likeness to the question where that is known."""


@dataclass(frozen=True, slots=True)
class _Weights:
    """A logistic model of "these passages answer", over shares of the question's words.

    Fitted on half the articles of SQuAD 1.1 dev, on questions over all passages, and the same
    without the paragraph, or the article, that answers; `bias` puts 0.5 where one question in ten
    that has an answer is refused. `benchmarks/answers.py` measures it on the other half.
    """

    words: float
    coverage: float
    names: float
    likeness: float
    bias: float


SEMANTIC: Final = _Weights(3.1, 2.9, 1.3, 7.5, -8.0)
LEXICAL: Final = _Weights(2.3, 6.7, 2.4, 0.0, -6.6)
LACKING: Final = 2.0
"""How much less likely it is, in log odds, where no time or number stands that was asked for."""


class ExtractiveGenerator:
    """`orchestrator.ports.generator.Generator` that quotes at most `sentences` sentences.

    It answers where the evidence, an estimate in [0, 1] that the passages do answer, is at
    least `evidence`. While the embedder is down, words alone count.
    """

    def __init__(
        self, *, sentences: int, evidence: float, embedder: Embedder | None = None
    ) -> None:
        self._sentences = sentences
        self._evidence = evidence
        self._embedder = embedder

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """The best sentences in the order of their worth; `NOT_FOUND` where evidence is weak."""
        question = _Question(query.text, passages)
        degraded: tuple[str, ...] = ()
        candidates = question.ranked()[:CLOSER]
        try:
            ranked = await self._by_meaning(query.text, candidates)
        except Unavailable:
            ranked, degraded = _by_words(candidates), ("embedder",)
        evidence = question.evidence(ranked[0][1], ranked[0][2]) if ranked else 0.0
        if not ranked or evidence < self._evidence:
            yield Token(NOT_FOUND)
            yield Outcome(answerable=False, degraded=degraded, evidence=evidence)
            return
        best = ranked[0][0]
        least = min(best, SECOND * best)
        chosen = [one for score, one, _ in ranked[: self._sentences] if score >= least]
        for number, sentence in enumerate(chosen):
            quote = f"{_quote(sentence.text)} [{sentence.passage + 1}]"
            yield Token(f" {quote}" if number else quote)
        yield Outcome(answerable=True, degraded=degraded, evidence=evidence)

    async def _by_meaning(
        self, question: str, ranked: Sequence[tuple[float, _Sentence]]
    ) -> list[_Compared]:
        if self._embedder is None or not ranked:
            return _by_words(ranked)
        asked = await self._embedder.embed_query(question)
        vectors = await self._embedder.embed([one.meaning for _, one in ranked])
        cosines = (vectors @ asked).tolist()
        closer = [(s + c, one, c) for (s, one), c in zip(ranked, cosines, strict=True)]
        return sorted(closer, key=lambda scored: -scored[0])


class _Question:
    """A question's words, weighed by how rare they are in what was retrieved for it."""

    def __init__(self, text: str, passages: Sequence[Passage]) -> None:
        self._text = text
        self._passages = passages
        self._terms = list(dict.fromkeys(terms(text)))
        self._spoken = {word.casefold() for word in WORD.findall(text)}
        self._sentences = [one for at in range(len(passages)) for one in _cut(at, passages[at])]
        count = len(self._sentences)
        found = {term: sum(term in one.words for one in self._sentences) for term in self._terms}
        self._weights = {
            term: math.log(1 + (count - found[term] + 0.5) / (found[term] + 0.5))
            for term in self._terms
        }
        self._total = sum(self._weights.values()) or 1.0

    def ranked(self) -> list[tuple[float, _Sentence]]:
        """Every sentence with its score, best first."""
        scored = [(self._score(one), one) for one in self._sentences]
        return sorted(scored, key=lambda pair: (-pair[0], pair[1].passage, pair[1].start))

    def evidence(self, best: _Sentence, likeness: float | None) -> float:
        """How likely it is that the passages answer."""
        text = self._around(best)
        if unknown_identifiers(self._text, text):
            return 0.0
        context, named = frozenset(terms(text)), self._named()
        weights = LEXICAL if likeness is None else SEMANTIC
        z = (
            weights.bias
            + weights.words * self._share(best.words)
            + weights.coverage * _fraction(self._terms, context)
            + weights.names * (_fraction(named, context) if named else 1.0)
            + weights.likeness * (likeness or 0.0)
            - LACKING * lacks_what_is_asked(self._text, best.text)
        )
        return 1 / (1 + math.exp(-z))

    def _score(self, one: _Sentence) -> float:
        behind = self._passages[0].score - self._passages[one.passage].score
        return (
            self._share(one.words)
            + AROUND * self._share(one.around)
            + TYPE * self._has_what_is_asked(one.text)
            - RANK * behind
        )

    def _share(self, words: frozenset[str]) -> float:
        return sum(self._weights[term] for term in self._terms if term in words) / self._total

    def _has_what_is_asked(self, text: str) -> bool:
        new = [word for word in WORD.findall(text) if word.casefold() not in self._spoken]
        if _ASKS_NAME.search(self._text):
            return any(word[0].isupper() for word in new[1:])
        return not lacks_what_is_asked(self._text, " ".join(new))

    def _around(self, best: _Sentence) -> str:
        chunk = self._passages[best.passage].chunk
        return f"{chunk.title}\n{chunk.section or ''}\n{chunk.text}"

    def _named(self) -> list[str]:
        """Names, codes and numbers: what an answer about something else would lack."""
        words = WORD.findall(self._text)
        return [
            stem(word)
            for place, word in enumerate(words)
            if any(char.isdigit() for char in word)
            or (place > 0 and word[0].isupper() and word.casefold() not in STOP_WORDS)
        ]


def _by_words(ranked: Sequence[tuple[float, _Sentence]]) -> list[_Compared]:
    return [(score, one, None) for score, one in ranked]


def _cut(number: int, passage: Passage) -> list[_Sentence]:
    chunk = passage.chunk
    if chunk.asked and chunk.section:  # it is its question that says what the answer is about
        words, around = frozenset(terms(chunk.section)), frozenset(terms(chunk.text))
        return [_Sentence(number, 0, chunk.text, chunk.section, words, around - words)]
    spans = [(a, b) for a, b in sentences(chunk.text) if _quote(chunk.text[a:b])]
    by_span = [frozenset(terms(chunk.text[start:end])) for start, end in spans]
    titles = frozenset(terms(f"{chunk.title} {chunk.section or ''}"))
    return [
        _Sentence(
            number,
            start,
            chunk.text[start:end],
            chunk.text[start:end],
            by_span[at],
            titles.union(*by_span[max(at - 1, 0) : at], *by_span[at + 1 : at + 2]) - by_span[at],
        )
        for at, (start, end) in enumerate(spans)
    ]


def _quote(sentence: str) -> str:
    return without_markers(quotable(sentence)).strip()


def _fraction(wanted: Sequence[str], there: frozenset[str]) -> float:
    return sum(word in there for word in wanted) / len(wanted) if wanted else 0.0
