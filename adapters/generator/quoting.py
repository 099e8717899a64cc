"""As much of the sentences as is worth its words: which are quoted, and which clauses of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from adapters.analysis import WORD, terms
from adapters.generator.asked import Kind, has
from adapters.generator.candidates import Candidate, clauses, limits, quote
from adapters.generator.weighing import Question, weighed
from orchestrator.domain.text import sentences

OVER: Final = 30
"""No answer is longer than what it has on average, and so many words."""
SHORT: Final = 8
"""A sentence is not cut to fewer words."""
LENGTH: Final = 0.6
"""How much it counts against a sentence, when one is chosen first, that it is long."""
MARK: Final = "…"
_PAUSES: Final = (",", ";", ":", ")", "–", "—")


class ClauseSigns(NamedTuple):
    """What speaks for a clause to hold the answer of its sentence, or the weight of each.

    `words` and `beside`: shares of the question's words in it and in the clauses beside it;
    `close`: the share near what could be the answer, wherever in the sentence; `has`: whether it
    has what is asked for; `names`: whether it has a new one; `length`: of its words, the logarithm.
    """

    words: float
    beside: float
    close: float
    has: float
    names: float
    length: float


CLAUSE: Final = ClauseSigns(1.8, 0.7, 6.1, 1.4, 0.4, 0.5)
"""Of a model that shares one answer out among a sentence's clauses; `benchmarks/fitting.py`."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Words that an answer has on average, citations among them, of at most `sentences`."""

    words: int
    sentences: int

    @property
    def most(self) -> int:
        """No answer has more words."""
        return self.words + OVER

    @property
    def least(self) -> float:
        """What a word more brings at least of the likelihood that the answer is there.

        As a function of `words` it is what comes to that average for questions of SQuAD.
        """
        return 0.0073 * math.exp(-0.0782 * (self.words - 30))


@dataclass(frozen=True, slots=True)
class Quote:
    """A text to be shown, and the place of its passage."""

    text: str
    passage: int


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is left of a sentence, and the likelihood that the answer is in that."""

    of: Candidate
    chance: float
    text: str
    worth: float

    @property
    def length(self) -> int:
        """The words that it takes in an answer, its citation among them."""
        return len(self.text.split()) + 1


def quotes(
    question: Question, scored: Sequence[tuple[float, Candidate]], budget: Budget
) -> list[Quote]:
    """What is shown, the best first, of sentences with their scores.

    Nothing where none can be shown, in so few words, without saying the contrary.
    """
    chances = shares([score for score, _ in scored])
    cuts = [
        _cut(question, one, chance, budget.most, budget.least)
        for chance, (_, one) in zip(chances, scored, strict=True)
    ]
    found: list[Quote] = []
    left = budget.most
    for cut in sorted(cuts, key=lambda cut: -cut.worth / cut.length**LENGTH):
        if len(found) == budget.sentences or (found and cut.worth / cut.length < budget.least):
            continue
        text = cut.text
        if cut.length > left:
            text = _cut(question, cut.of, cut.chance, left, budget.least).text
        length = len(text.split()) + 1
        if not text or length > left or any(text in other.text for other in found):
            continue
        found.append(Quote(text, cut.of.passage))
        left -= length
    return found


def shares(scores: Sequence[float]) -> list[float]:
    """The likelihood of each to be the one, by its score as log odds."""
    best = max(scores, default=0.0)
    odds = [math.exp(score - best) for score in scores]
    return [one / sum(odds) for one in odds]


def clause_signs(question: Question, parts: Sequence[str]) -> list[ClauseSigns]:
    """What speaks for each clause of a sentence."""
    held = [question.share(frozenset(terms(part))) for part in parts]
    words = [WORD.findall(part) for part in parts]
    near = iter(question.near([word for part in words for word in part]))
    found = []
    for at, part in enumerate(parts):
        new = question.new(words[at])
        found.append(
            ClauseSigns(
                words=held[at],
                beside=sum(held[max(at - 1, 0) : at]) + sum(held[at + 1 : at + 2]),
                close=max((next(near) for _ in words[at]), default=0.0),
                has=float(question.asked is not Kind.ANY and has(question.asked, ["", *new])),
                names=float(any(word[0].isupper() for word in new)),
                length=math.log(len(part.split()) + 1),
            )
        )
    return found


def _cut(question: Question, one: Candidate, chance: float, most: int, least: float) -> _Cut:
    """The whole, if it is short or all of it is worth its words; else some of its clauses.

    Nothing, where what would be left out limits what would be shown.
    """
    if one.whole:
        return _Cut(one, chance, _beginning(one.text, most), chance)
    spans = clauses(one.text) if one.length > SHORT + 1 else [(0, len(one.text))]
    parts = [one.text[a:b] for a, b in spans]
    worth = [
        chance * share
        for share in shares([weighed(CLAUSE, signs) for signs in clause_signs(question, parts)])
    ]
    kept = _with_limits(parts, _worthy(worth, _lengths(parts), most, least), most)
    return _Cut(one, chance, _shown(parts, kept, most), sum(worth[at] for at in kept))


def _worthy(worth: Sequence[float], lengths: Sequence[int], most: int, least: float) -> range:
    """The run of clauses that is worth its words."""
    value = [one / length for one, length in zip(worth, lengths, strict=True)]
    first, last = 0, len(worth)
    while last - first > 1:
        length = sum(lengths[first:last])
        from_start = value[first] < value[last - 1]
        dropped = first if from_start else last - 1
        if length < most and (value[dropped] >= least or length - lengths[dropped] < SHORT):
            break
        first, last = (first + 1, last) if from_start else (first, last - 1)
    return range(first, last)


def _with_limits(parts: Sequence[str], run: range, most: int) -> Sequence[int]:
    """The run and whatever limits what it says, with all between; where that is too much, without.

    A run without "unless", or without the "not" before it, may say the contrary of its sentence.
    """
    limiting = {at for at, part in enumerate(parts) if limits(part)}
    for at in range(1, len(parts)):  # a limit goes on up to a comma
        if at - 1 in limiting and not parts[at - 1].rstrip().endswith(_PAUSES):
            limiting.add(at)
    needed = sorted({*run, *limiting})
    wide = range(needed[0], needed[-1] + 1)
    return wide if sum(_lengths(parts)[wide.start : wide.stop]) < most else needed


def _lengths(parts: Sequence[str]) -> list[int]:
    return [len(part.split()) for part in parts]


def _shown(parts: Sequence[str], kept: Sequence[int], most: int) -> str:
    """These of the parts, an ellipsis for what is missing; nothing where a limit would be."""
    runs = [
        [at for _, at in run] for _, run in groupby(enumerate(kept), lambda one: one[1] - one[0])
    ]
    texts = [_quoted(parts, run[0], run[-1] + 1) for run in runs]
    words = f"{MARK} ".join(texts).split()
    before, after = MARK if kept[0] > 0 else "", MARK if kept[-1] + 1 < len(parts) else ""
    if len(words) >= most:
        if limits(" ".join(words[most - 1 :])):
            return ""
        words, after = words[: most - 1], MARK
    return f"{before}{' '.join(words)}{after}"


def _quoted(parts: Sequence[str], first: int, last: int) -> str:
    text = quote("".join(parts[first:last]))
    return text if last == len(parts) else text.rstrip(",;:—–-( ")


def _beginning(text: str, most: int) -> str:
    """As many whole sentences from the start as there is room for."""
    if len(quote(text).split()) < most:
        return quote(text)
    ends = [end for _, end in sentences(text)]
    fitting = [end for end in ends if len(quote(text[:end]).split()) < most]
    return f"{quote(text[: max(fitting)])}{MARK}" if fitting else _shown([text], [0], most)
