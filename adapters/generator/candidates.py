"""The sentences that may be quoted, each with the words in it and around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapters.analysis import terms
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import Span, quotable, sentences, without_markers
from orchestrator.domain.words import negated

_REFERS: Final = re.compile(
    r"(?:he|she|it|they|this|these|those|that|his|her|its|their|such|both"
    r"|the (?:former|latter))\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(
    r"(?<=[,;:)—–])\s+|\s+(?=[(—–])|\s+(?=(?:and|but|or|which|who|that|while|where|when|because"
    r"|although|after|before|as|with)\b)"
)
_LIMITS: Final = re.compile(
    r"\b(?:unless|except\w*|excluding|only|solely|if|provided|until|otherwise|instead|rather than"
    r"|other than|apart from|subject to|as long as|in case|hardly|barely|rarely"
    r"|wenn|falls|sofern|soweit|solange|außer|ausgenommen|ausschließlich|nur|bis|sondern"
    r"|es sei denn|vorausgesetzt)\b",
    re.IGNORECASE,
)
_SHORTEST: Final = 4
"""Words of a clause that stands by itself."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence, or a pair's answer: its place, what is quoted of it, and what it says.

    `words` are those that it is judged by; `before`, `after` and `heading` those around it.
    """

    passage: int
    start: int
    text: str
    meaning: str
    words: frozenset[str]
    before: frozenset[str]
    after: frozenset[str]
    heading: frozenset[str]
    whole: bool = False

    @property
    def length(self) -> int:
        """The words that it takes in an answer, its citation among them."""
        return len(quote(self.text).split()) + 1

    @property
    def refers(self) -> bool:
        """Whether it begins with a word that stands for something said before."""
        return bool(_REFERS.match(self.text))


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Everything that may be quoted, in order."""
    return [one for at, passage in enumerate(passages) for one in _cut(at, passage)]


def quote(text: str) -> str:
    """A sentence as an answer shows it; nothing where there is nothing to show."""
    return without_markers(quotable(text)).strip()


def clauses(text: str) -> list[Span]:
    """A sentence's parts, none of them shorter than a few words; together they are all of it."""
    ends = [gap.end() for gap in _CLAUSE.finditer(text)] + [len(text)]
    found: list[Span] = []
    start = 0
    for end in ends:
        if len(text[start:end].split()) >= _SHORTEST:
            found.append((start, end))
            start = end
    if start < len(text):
        start = found.pop()[0] if found else 0
        found.append((start, len(text)))
    return found


def limits(text: str) -> bool:
    """Whether it says that something is not, or not always: what it belongs to is wrong without."""
    return negated(text) or bool(_LIMITS.search(text))


def _cut(number: int, passage: Passage) -> list[Candidate]:
    chunk = passage.chunk
    none: frozenset[str] = frozenset()
    if chunk.asked and chunk.section:  # it is its question that says what the answer is about
        words, after = frozenset(terms(chunk.section)), frozenset(terms(chunk.text))
        pair = Candidate(
            number, 0, chunk.text, chunk.section, words, none, after - words, none, whole=True
        )
        return [pair] if quote(chunk.text) else []
    spans = [(a, b) for a, b in sentences(chunk.text) if quote(chunk.text[a:b])]
    said = [none, *(frozenset(terms(chunk.text[a:b])) for a, b in spans), none]
    heading = frozenset(terms(f"{chunk.title} {chunk.section or ''}"))
    return [
        Candidate(
            passage=number,
            start=start,
            text=chunk.text[start:end],
            meaning=chunk.text[start:end],
            words=said[at],
            before=said[at - 1] - said[at],
            after=said[at + 1] - said[at],
            heading=heading - said[at],
        )
        for at, (start, end) in enumerate(spans, start=1)
    ]
