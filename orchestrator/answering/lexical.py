"""Verification by words alone: no model, a few milliseconds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orchestrator.domain.passages import Passage
from orchestrator.domain.text import quotable, sentences, without_markers
from orchestrator.domain.words import Word, capitals_are_names, folded, read, stem, words
from orchestrator.ports.verifier import Claim

_CLAUSE: Final = re.compile(
    r"[;:,]\s+|\s+(?:and|but|while|whereas|und|aber|sondern)\s+|\s[–—-]\s", re.IGNORECASE
)
_PART: Final = re.compile(rf"{_CLAUSE.pattern}|[()]", re.IGNORECASE)
_PASSIVE: Final = re.compile(r"\b(?:by|von|vom|durch)\b", re.IGNORECASE)
_TIMES: Final = frozenset(
    stem(one)
    for one in """second minute hour day night week month quarter year decade century Sekunde Minute
    Stunde Tag Nacht Woche Monat Quartal Jahr Jahrzehnt""".casefold().split()
)
_WEIGHTS: Final = {"plain": 1.0, "name": 2.5, "number": 2.0}
FEWEST: Final = 2
"""A clause of fewer words than these is judged with its neighbour."""
NAMES: Final = 12
"""Of so many names of a clause it is looked at whether two changed places."""
AKIN: Final = 0.6
"""What a word is worth of which only the first letters are there."""
NAMELESS: Final = 0.35
"""The most that a sentence is supported by passages that lack a name of it."""
TURNED: Final = 0.2
"""What is left of the support where one side negates, or two names have changed places."""
OTHER_UNIT: Final = 0.4
"""What is left of it where a number stands beside another word than in the passage."""
CONTEXT: Final = 0.5
"""So much of a clause must stand where its numbers do."""
WHOLE: Final = 0.8
"""With so much of a clause, a part of a passage's sentence is what it is about."""


class LexicalVerifier:
    """`orchestrator.ports.verifier.Verifier` by shares of words, numbers, names and negation.

    A sentence is supported as well as the weakest of its clauses, and a clause by the best place
    of one or two sentences. A number or code that no such place has decides against it.
    """

    async def support(self, claims: Sequence[Claim]) -> Sequence[float]:
        """One claim after the other."""
        return [one.score for one in await self.judged(claims)]

    async def judged(self, claims: Sequence[Claim]) -> Sequence[Judged]:
        """The same, and whether meaning could still say otherwise; gives way between passages."""
        read: dict[int, Evidence] = {}
        found = []
        for claim in claims:
            for passage in claim.passages:
                if id(passage) not in read:
                    read[id(passage)] = Evidence(passage)
                    await asyncio.sleep(0)
            found.append(judged(claim.parts, [read[id(one)] for one in claim.passages]))
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """The support of a text by words; `decided` where no likeness of meaning may change it."""

    score: float
    decided: bool


@dataclass(frozen=True, slots=True)
class Place:
    """One or two sentences of a passage; `above` are the words of its title and section.

    `terms` and `above` hold the first letters of long words, too; `at` are the words' places in one
    sentence.
    """

    text: str
    words: tuple[Word, ...]
    terms: frozenset[str]
    above: frozenset[str]
    negated: bool
    at: tuple[int, ...] = ()
    folded: str = ""

    @classmethod
    def of(cls, text: str, above: frozenset[str] = frozenset()) -> Place:
        """The place that a text is."""
        found = read(text)
        terms = _terms(found.words)
        return cls(text, found.words, terms, above, found.negated, found.places, found.folded)

    def joined(self, other: Place) -> Place:
        """The place that both make, one after the other."""
        return Place(
            f"{self.text} {other.text}",
            (*self.words, *other.words),
            self.terms | other.terms,
            self.above,
            self.negated or other.negated,
        )

    def share(self, wanted: Sequence[Word], *, alone: bool = False) -> float:
        """How much of the words is here, by weight; `alone`, without the title and section."""
        terms, above = self.terms, frozenset() if alone else self.above
        here = whole = 0.0
        for one in wanted:
            weight = _WEIGHTS[one.kind]
            whole += weight
            if one.term in terms or one.term in above:
                here += weight
            elif one.akin and (one.akin in terms or one.akin in above):
                here += weight * AKIN
        return here / whole


def _terms(found: Sequence[Word]) -> frozenset[str]:
    """The words, and how the long ones begin."""
    return frozenset([one.term for one in found] + [one.akin for one in found if one.akin])


class Evidence:
    """A passage, read for what it may support."""

    def __init__(self, passage: Passage) -> None:
        chunk = passage.chunk
        plain = without_markers(chunk.text)
        above = _terms(words(f"{chunk.title}. {chunk.section or ''}"))
        self._singles = [Place.of(quotable(plain[a:b]), above) for a, b in sentences(plain)]
        self.quotes = frozenset(one.folded for one in self._singles)
        self.terms = above.union(*(one.terms for one in self._singles))

    def places(self) -> Iterator[Place]:
        """Every sentence, then every two that follow each other."""
        yield from self._singles
        for one, after in pairwise(self._singles):
            yield one.joined(after)

    def closest(self, wanted: Sequence[Word]) -> tuple[float, Place]:
        """The share of the words in the sentence with most of them, or with one beside it."""
        if not self._singles:
            return 0.0, Place.of("")
        shares = [one.share(wanted) for one in self._singles]
        best = shares.index(max(shares))
        found = [(shares[best], self._singles[best])]
        for one, after in pairwise(self._singles[max(0, best - 1) : best + 2]):
            both = one.joined(after)
            found.append((both.share(wanted), both))
        return _most(found)


def judged(parts: Sequence[str], passages: Sequence[Evidence]) -> Judged:
    """How well the passages support a sentence: as well as its weakest part."""
    if not passages:
        return Judged(0.0, decided=True)
    found = [
        _clause(clause, passages)
        for part in parts
        if not any(folded(part) in one.quotes for one in passages)
        for clause in clauses(part)
    ]
    lowest = round(min((one.score for one in found), default=1.0), 3)
    return Judged(lowest, decided=lowest in {0.0, 1.0} or any(one.decided for one in found))


def clauses(part: str) -> list[str]:
    """The clauses of a sentence, none with fewer words than `FEWEST`, if it has as many."""
    found: list[str] = []
    counts: list[int] = []
    for clause in _CLAUSE.split(part):
        count = len(words(clause))
        if found and (count < FEWEST or counts[-1] < FEWEST):
            found[-1] = f"{found[-1]} {clause}"
            counts[-1] += count
        else:
            found.append(clause)
            counts.append(count)
    return found


def _clause(text: str, passages: Sequence[Evidence]) -> Judged:
    said = Place.of(text)
    if not said.words:
        return Judged(1.0, decided=False)
    if not _numbers_stand(said.words, passages):
        return Judged(0.0, decided=True)
    share, best = closest(said.words, passages)
    score = share * share
    named = capitals_are_names(text)
    lacking = named and _lacks_a_name(said.words, passages)
    left = _left(said, best, named=named)
    return Judged(min(score, NAMELESS) * left if lacking else score * left, lacking or left < 1)


def _left(said: Place, best: Place, *, named: bool) -> float:
    """What is left of the support where the best place says otherwise."""
    left = 1.0
    if _turned(said, best) or (named and _swapped(said, best)):
        left *= TURNED
    if not _units_stand(said, best):
        left *= OTHER_UNIT
    return left


def closest(wanted: Sequence[Word], passages: Iterable[Evidence]) -> tuple[float, Place]:
    """The place with the most of the words, and its share; of two alike, the shorter."""
    return _most([one.closest(wanted) for one in passages])


def _most(found: Iterable[tuple[float, Place]]) -> tuple[float, Place]:
    return max(found, key=lambda one: (one[0], -len(one[1].text)))


def _numbers_stand(wanted: Sequence[Word], passages: Sequence[Evidence]) -> bool:
    """Whether each number stands in a place that has enough of the other words, too."""
    numbers = {word.term for word in wanted if word.kind == "number"}
    others = [word for word in wanted if word.kind != "number"]
    if not all(any(one in passage.terms for passage in passages) for one in numbers):
        return False
    for place in (place for one in passages for place in one.places()):
        if not numbers:
            return True
        numbers -= place.above
        there = numbers & place.terms
        if there and (not others or place.share(others, alone=True) >= CONTEXT):
            numbers -= there
    return not numbers


def _lacks_a_name(wanted: Sequence[Word], passages: Sequence[Evidence]) -> bool:
    """Whether one of the names is in no passage."""
    names = {word.term for word in wanted if word.kind == "name"}
    return any(not any(name in one.terms for one in passages) for name in names)


def _turned(said: Place, best: Place) -> bool:
    """Whether one of the two negates and the other does not.

    A part of the place counts alone where it holds nearly all that the clause says.
    """
    if said.negated == best.negated and not said.negated:
        return False
    parts = [Place.of(one) for one in _PART.split(best.text)]
    about = [one.negated for one in parts if one.share(said.words) >= WHOLE]
    return said.negated not in (about or [best.negated])


def _swapped(said: Place, best: Place) -> bool:
    """Whether two names stand around the same word in the other order, in the same voice."""
    if bool(_PASSIVE.search(said.text)) != bool(_PASSIVE.search(best.text)):
        return False
    names = [
        word.term
        for word, place in zip(said.words, said.at, strict=True)
        if word.kind == "name" or place == 0
    ]
    here, there = _first_places(said.words), _first_places(best.words)
    both = [name for name in dict.fromkeys(names) if name in there][:NAMES]
    return any(
        here[one] < here[other]
        and there[one] > there[other]
        and _between(here, one, other) & _between(there, other, one)
        for one in both
        for other in both
    )


def _first_places(found: Iterable[Word]) -> dict[str, int]:
    places: dict[str, int] = {}
    for order, word in enumerate(found):
        places.setdefault(word.term, order)
    return places


def _between(places: dict[str, int], first: str, last: str) -> set[str]:
    return {term for term, place in places.items() if places[first] < place < places[last]}


def _units_stand(said: Place, best: Place) -> bool:
    """Whether the word after each number stands near it in the place, too, and every time does."""
    numbered = any(word.kind == "number" for word in said.words)
    if numbered and any(word.term in _TIMES - best.terms for word in said.words):
        return False
    for (number, before), (unit, after) in pairwise(zip(said.words, said.at, strict=True)):
        if number.kind != "number" or unit.kind == "number" or after - before > 1:
            continue
        at = [place for place, word in enumerate(best.words) if word.term == number.term]
        near = {word.term for one in at for word in best.words[max(0, one - 2) : one + 4]}
        if at and unit.term not in near:
            return False
    return True
