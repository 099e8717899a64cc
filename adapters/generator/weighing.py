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


class Signs(NamedTuple):
    """What speaks for a sentence, or the weight of each; shares are of the question's words.

    `words`: in it; `pairs`: next to each other; `before`, `after`: in the sentences around it;
    `carried`: in the one before, where it begins with "it" or "they"; `heading`: in the title and
    section; `close`: near what could be the answer; `has`, `lacks`: whether such a thing is there;
    `behind`: how much less retrieval thinks of its passage; `likeness`: of meaning.
    """

    words: float
    pairs: float
    before: float
    after: float
    carried: float
    heading: float
    close: float
    has: float
    lacks: float
    behind: float
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


SEMANTIC: Final = Signs(5.8, 1.4, 3.8, 1.9, 2.2, 6.8, 4.2, 0.5, -0.5, -17.0, 7.0)
LEXICAL: Final = Signs(7.1, 2.5, 3.0, 0.9, 2.1, 4.3, 4.0, 0.6, -0.6, -25.4, 0.0)
"""Of a model that shares one answer out among the sentences; `benchmarks/fitting.py` fits it."""
ANSWERED: Final = Evidence(3.2, 2.1, -4.2, 3.6, 1.3, 12.3, -9.75)
ANSWERED_BY_WORDS: Final = Evidence(1.8, 4.6, -2.0, 6.5, 2.4, 0.0, -6.3)
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

    def signs(self, one: Candidate) -> Signs:
        """What speaks for a sentence, before its meaning is known."""
        words = WORD.findall(one.text)
        there = has(self.asked, self.new(words))
        before = self.share(one.before)
        return Signs(
            words=self.share(one.words),
            pairs=self._paired(one),
            before=before,
            after=self.share(one.after),
            carried=before if one.refers else 0.0,
            heading=self.share(one.heading),
            close=self.closeness(words),
            has=float(there),
            lacks=float(not there),
            behind=min(self._passages[0].score - self._passages[one.passage].score, BEHIND),
            likeness=0.0,
        )

    def new(self, words: Sequence[str]) -> list[str]:
        """The words that the question itself does not have."""
        return [word for word in words if word.casefold() not in self._spoken]

    def share(self, words: frozenset[str]) -> float:
        """The share of the question's words that are among these, by weight."""
        return sum(weight for term, weight in self._weights.items() if term in words)

    def closeness(self, words: Sequence[str]) -> float:
        """The share of the question's words near a word that could be the answer, at its best."""
        stems = [stem(word) for word in words]
        asked = [(at, term) for at, term in enumerate(stems) if term in self._weights]
        if not asked:
            return 0.0
        best = 0.0
        for at, word in enumerate(words):
            spoken = stems[at] in self._weights or word.casefold() in self._spoken
            if spoken or not could_be(self.asked, word):
                continue
            near: dict[str, float] = {}
            for place, term in asked:
                near[term] = max(near.get(term, 0.0), 1 / (1 + abs(place - at) / REACH))
            best = max(best, sum(self._weights[term] * value for term, value in near.items()))
        return best

    def evidence(self, best: Candidate, likeness: float | None) -> Evidence | None:
        """What speaks for an answer; None where a code that is asked for is nowhere."""
        chunk = self._passages[best.passage].chunk
        context = f"{chunk.title}\n{chunk.section or ''}\n{chunk.text}"
        if unknown_identifiers(self._text, context):
            return None
        around, named = frozenset(terms(context)), self._named()
        new = self.new(WORD.findall(best.text))
        return Evidence(
            words=self.share(best.words),
            pairs=self._paired(best),
            lacks=float(self.asked in MEASURES and not has(self.asked, new)),
            coverage=_fraction(self._terms, around),
            names=_fraction(named, around) if named else 1.0,
            likeness=likeness or 0.0,
            always=1.0,
        )

    def _paired(self, one: Candidate) -> float:
        if not self._pairs:
            return 0.0
        said = terms(one.meaning)
        return len(self._pairs & set(pairwise(said))) / len(self._pairs)

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


def probability(log_odds: float) -> float:
    """Of a logistic model."""
    return 1 / (1 + math.exp(-log_odds))


def _fraction(wanted: Sequence[str], there: frozenset[str]) -> float:
    return sum(word in there for word in wanted) / len(wanted) if wanted else 0.0
