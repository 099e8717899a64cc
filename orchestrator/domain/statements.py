"""An answer's text as statements: sentences with the citations that speak for them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain.answers import NOT_FOUND
from orchestrator.domain.text import Span, blocks, quotable, sentences
from orchestrator.domain.words import STOP_WORDS, folded, negated, stem

_MARKER: Final = re.compile(r"\[(\d{1,6})\]")
_HEADING: Final = re.compile(r"\A\s*#{1,6}\s|\A\s*\*\*[^*]+\*\*:?\s*\Z")
_ASKS: Final = frozenset("how what when where which who why wie was wann wo wer warum".split())
_FINITE: Final = frozenset(
    """is are was were will shall can could may might must should would has have had do does did
    ist sind war waren wird werden wurde wurden kann können muss müssen soll sollen hat haben darf
    dürfen gilt gelten""".split()
)
_AFFIRMS: Final = frozenset({"yes", "ja", "nein"})
_INTRODUCES: Final = frozenset(
    """here following follows below summary overview answer according based steps details points
    documents sources passages say says found find context information
    hier folgende folgenden folgt zusammenfassung
    überblick antwort laut schritte dokumente dokumenten quellen""".split()
)
_COURTESY: Final = frozenset(
    """sure certainly course gladly hello hi thank thanks welcome hope helps help let know if any
    anything else questions question further more please feel free ask glad happy good great like
    want need assist am i'm let's gerne hallo danke bitte hoffe hilft hilfe fragen frage weitere
    melden gern""".split()
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer: its span with its citations, and its text between them.

    `cites` are its own, or, of a sentence without any, those of the next one in its paragraph;
    `own` says whose. `paragraph` is where its paragraph begins.
    """

    start: int
    end: int
    cites: tuple[int, ...]
    own: bool
    parts: tuple[str, ...]
    paragraph: int

    @property
    def text(self) -> str:
        """What it says, without citations."""
        return " ".join(self.parts)


def statements(text: str, start: int = 0) -> list[Statement]:
    """The sentences of the text from `start` on, in order.

    A citation belongs to the sentence that it stands in or after; at the start of a line, to the
    one that it stands before.
    """
    plain = _MARKER.sub(lambda marker: " " * len(marker[0]), text)
    spans = _with_numbering(plain, sentences(plain, start))
    if not spans:
        return []
    begin = [span[0] for span in spans]
    starts, ends = list(begin), [span[1] for span in spans]
    for marker in _MARKER.finditer(text, start):
        place = _owner(plain, spans, begin, marker.span())
        starts[place] = min(starts[place], marker.start())
        ends[place] = max(ends[place], marker.end())
    paragraphs = [one for one, _ in blocks(plain, start)]
    found = []
    for first, last, (at, _) in zip(starts, ends, spans, strict=True):
        numbers = tuple(dict.fromkeys(int(one) for one in _MARKER.findall(text, first, last)))
        stretches = (quotable(one) for one in _MARKER.sub("\0", text[first:last]).split("\0"))
        parts = tuple(one for one in stretches if any(char.isalnum() for char in one))
        paragraph = paragraphs[bisect_right(paragraphs, at) - 1]
        found.append(Statement(first, last, numbers, bool(numbers), parts, paragraph))
    return _spoken_for(found)


def claims(statement: Statement, known: frozenset[str]) -> bool:
    """Whether the statement says anything that needs support.

    Not: the refusal; a courtesy; a heading, a question, or the words before a list, if they hold
    nothing but `known` words (`known_words` of the question and of the titles). Whatever cites,
    negates, or names a number does.
    """
    text = statement.text
    said = folded(text).split()
    if not said or " ".join(said) == folded(NOT_FOUND):
        return False
    if statement.own or negated(text) or any(char.isdigit() for char in text):
        return True
    if _AFFIRMS.intersection(said):
        return True
    content = {one for one in said if one not in STOP_WORDS | _COURTESY}
    if not content:
        return False
    return not _names_only(text, said) or not {stem(one) for one in content - _INTRODUCES} <= known


def known_words(*texts: str) -> frozenset[str]:
    """The words that a heading may use without claiming anything."""
    return frozenset(stem(one) for text in texts for one in folded(text).split())


def _names_only(text: str, said: list[str]) -> bool:
    """Whether the form is that of a heading, a question, or the words before a list."""
    if text.endswith("?"):
        return True
    if not text.endswith(":") and not _HEADING.search(text):
        return False
    introduces = said[0] in _ASKS or not _INTRODUCES.isdisjoint(said)
    return introduces or _FINITE.isdisjoint(said)


def _spoken_for(found: list[Statement]) -> list[Statement]:
    """Each sentence without a citation with those of the next one in its paragraph."""
    for place in range(len(found) - 2, -1, -1):
        one, after = found[place], found[place + 1]
        if not one.own and one.paragraph == after.paragraph:
            found[place] = replace(one, cites=after.cites)
    return found


def _with_numbering(text: str, spans: list[Span]) -> list[Span]:
    """The spans, with the number of a list item taken to its item."""
    joined: list[Span] = []
    worded = True
    for first, last in spans:
        begin = first
        if not worded and "\n" not in text[joined[-1][1] : first]:
            begin = joined.pop()[0]  # the item begins with its number
        worded = any(char.isalpha() for char in text[first:last])
        joined.append((begin, last))
    return joined


def _owner(text: str, spans: list[Span], starts: list[int], marker: Span) -> int:
    """Which sentence a citation belongs to."""
    place = max(0, bisect_right(starts, marker[0]) - 1)
    if place == len(spans) - 1 or marker[0] < spans[place][1]:
        return place
    apart = "\n" in text[spans[place][1] : marker[0]]
    return place + (apart and "\n" not in text[marker[1] : spans[place + 1][0]])
