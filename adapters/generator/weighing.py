"""What a sentence is worth as an answer, and how likely it is that there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from adapters.analysis import STOP_WORDS, WORD, stem, terms
from adapters.generator.asked import (
    MEASURES,
    could_be,
    has,
    kind,
    unknown_identifiers,
)
from adapters.generator.candidates import Candidate
from orchestrator.domain.passages import Passage

BEHIND: Final = 0.25
"""Further behind the best passage than this, retrieval's score says no more."""
REACH: Final = 6
"""So many words away, a word of the question counts half for what could be the answer."""
STEM: Final = 5
"""Words that begin with the same so many letters are alike: "founder" and "founded"."""


class Signs(NamedTuple):
    """What speaks for a sentence, or the weight of each; shares are of the question's words.

    `words`: in it; `pairs`: next to each other; `alike`: not in it, but a word that begins so;
    `before`, `after`: in the sentences around it; `carried`: in the one before, where it begins
    with "it" or "they"; `heading`: in the title and section; `names`, `named`: of the question's
    names, those in it and in its passage; `close`: near what could be the answer; `has`, `lacks`:
    whether such a thing is there; `behind`: how much less retrieval thinks of its passage;
    `nearest`: the best likeness in its passage; `likeness`: of meaning.
    """

    words: float
    pairs: float
    alike: float
    before: float
    after: float
    carried: float
    heading: float
    names: float
    named: float
    close: float
    has: float
    lacks: float
    behind: float
    nearest: float
    likeness: float


class Evidence(NamedTuple):
    """What speaks for there being an answer, or the weight of each.

    Of the best sentence: shares of the question's words and pairs of words, and whether it lacks
    a time or number that is asked for. Of its passage: shares of the question's words and of
    its names. `likeness` is the best of all sentences. `always` is 1.
    """

    words: float
    pairs: float
    lacks: float
    coverage: float
    names: float
    likeness: float
    always: float


SEMANTIC: Final = Signs(
    words=6.4,
    pairs=1.9,
    alike=3.6,
    before=3.7,
    after=1.5,
    carried=1.8,
    heading=5.9,
    names=-1.2,
    named=2.0,
    close=4.0,
    has=0.7,
    lacks=-0.7,
    behind=-12.1,
    nearest=6.5,
    likeness=6.2,
)
LEXICAL: Final = Signs(
    words=7.2,
    pairs=2.6,
    alike=5.3,
    before=2.9,
    after=0.4,
    carried=1.9,
    heading=3.4,
    names=-0.3,
    named=1.3,
    close=3.7,
    has=0.7,
    lacks=-0.7,
    behind=-26.2,
    nearest=0.0,
    likeness=0.0,
)
"""Of a model that shares one answer out among the sentences; `benchmarks/fitting.py` fits it."""
ANSWERED: Final = Evidence(5.0, 1.8, -4.2, 2.5, 1.0, 14.9, -10.85)
ANSWERED_BY_WORDS: Final = Evidence(1.8, 4.2, -2.0, 6.5, 2.6, 0.0, -6.35)
"""Of a logistic model of "these passages answer", fitted there, too."""


class Question:
    """A question's words, weighed by how rare they are in what was retrieved for it."""

    def __init__(
        self, text: str, passages: Sequence[Passage], candidates: Sequence[Candidate]
    ) -> None:
        self._text = text
        self._passages = passages
        self.asked = kind(text)
        said = terms(text)
        self._terms = list(dict.fromkeys(said))
        self._pairs = set(pairwise(said))
        self._spoken = {word.casefold() for word in WORD.findall(text)}
        count = len(candidates)
        found = {term: sum(term in one.words for one in candidates) for term in self._terms}
        rare = {
            term: math.log(1 + (count - found[term] + 0.5) / (found[term] + 0.5))
            for term in self._terms
        }
        total = sum(rare.values()) or 1.0
        self._weights = {term: weight / total for term, weight in rare.items()}
        self._names = self._named()
        self._around = [frozenset(terms(_context(passage))) for passage in passages]

    def signs(self, one: Candidate) -> Signs:
        """What speaks for a sentence, before its meaning is known."""
        words = WORD.findall(one.text)
        near = self.near(words)
        there = has(self.asked, self.new(words))
        before = self.share(one.before)
        return Signs(
            words=self.share(one.words),
            pairs=self._paired(one),
            alike=self._alike(one.words),
            before=before,
            after=self.share(one.after),
            carried=before if one.refers else 0.0,
            heading=self.share(one.heading),
            names=_fraction(self._names, one.words),
            named=_fraction(self._names, self._around[one.passage]),
            close=max(near, default=0.0),
            has=float(there),
            lacks=float(not there),
            behind=min(self._passages[0].score - self._passages[one.passage].score, BEHIND),
            nearest=0.0,
            likeness=0.0,
        )

    def new(self, words: Sequence[str]) -> list[str]:
        """The words that the question itself does not have."""
        return [word for word in words if word.casefold() not in self._spoken]

    def share(self, words: frozenset[str]) -> float:
        """The share of the question's words that are among these, by weight."""
        return sum(weight for term, weight in self._weights.items() if term in words)

    def near(self, words: Sequence[str]) -> list[float]:
        """The share of the question's words near each word; 0 where it could not be the answer."""
        stems = [stem(word) for word in words]
        asked = [(at, term) for at, term in enumerate(stems) if term in self._weights]
        found = [0.0] * len(words)
        for at, word in enumerate(words):
            spoken = stems[at] in self._weights or word.casefold() in self._spoken
            if spoken or not could_be(self.asked, word):
                continue
            near: dict[str, float] = {}
            for place, term in asked:
                near[term] = max(near.get(term, 0.0), 1 / (1 + abs(place - at) / REACH))
            found[at] = sum(self._weights[term] * value for term, value in near.items())
        return found

    def evidence(self, best: Candidate, likeness: float | None) -> Evidence | None:
        """What speaks for an answer; None where a code that is asked for is nowhere."""
        if unknown_identifiers(self._text, _context(self._passages[best.passage])):
            return None
        around = self._around[best.passage]
        new = self.new(WORD.findall(best.text))
        return Evidence(
            words=self.share(best.words),
            pairs=self._paired(best),
            lacks=float(self.asked in MEASURES and not has(self.asked, new)),
            coverage=_fraction(self._terms, around),
            names=_fraction(self._names, around) if self._names else 1.0,
            likeness=likeness or 0.0,
            always=1.0,
        )

    def _paired(self, one: Candidate) -> float:
        if not self._pairs:
            return 0.0
        said = terms(one.meaning)
        return len(self._pairs & set(pairwise(said))) / len(self._pairs)

    def _alike(self, words: frozenset[str]) -> float:
        begin = {word[:STEM] for word in words}
        return sum(
            weight
            for term, weight in self._weights.items()
            if len(term) >= STEM and term not in words and term[:STEM] in begin
        )

    def _named(self) -> list[str]:
        """Names, codes and numbers: what an answer about something else would lack."""
        words = WORD.findall(self._text)
        return [
            stem(word)
            for place, word in enumerate(words)
            if any(char.isdigit() for char in word)
            or (place > 0 and word[0].isupper() and word.casefold() not in STOP_WORDS)
        ]


def weighed(weights: Sequence[float], signs: Sequence[float]) -> float:
    """The sum of what speaks for something, by weight."""
    return sum(weight * sign for weight, sign in zip(weights, signs, strict=True))


def nearest_of(sentences: Sequence[Candidate], likeness: Sequence[float]) -> list[float]:
    """For each the best likeness of its passage's sentences."""
    best: dict[int, float] = {}
    for one, like in zip(sentences, likeness, strict=True):
        best[one.passage] = max(like, best.get(one.passage, like))
    return [best[one.passage] for one in sentences]


def probability(log_odds: float) -> float:
    """Of a logistic model."""
    return 1 / (1 + math.exp(-log_odds))


def _context(passage: Passage) -> str:
    chunk = passage.chunk
    return f"{chunk.title}\n{chunk.section or ''}\n{chunk.text}"


def _fraction(wanted: Sequence[str], there: frozenset[str]) -> float:
    return sum(word in there for word in wanted) / len(wanted) if wanted else 0.0
