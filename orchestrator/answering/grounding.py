"""Grounding: no answer leaves with a citation of a passage that was not given."""

from __future__ import annotations

import re
from typing import Final

_MARKER: Final = re.compile(r"(\s?\[\d{1,6}\])")
_UNFINISHED: Final = re.compile(r"(?:\s?\[\d{0,6}|\s{1,2})\Z")
_CITED: Final = re.compile(r"\[(\d{1,6})\]")
_OPEN: Final = re.compile(r"\[\d*\Z")
_CLOSED: Final = re.compile(r"\[\d[\d\]]*")
_BEGUN: Final = r"[\[［【]\s?\d{1,3}(?:\s?[,;–-]\s?\d{1,3}){0,9}"
_PLACE: Final = r"(?:†[^\]］】\n]{0,40})?\s?"
_SOME: Final = re.compile(rf"{_BEGUN}{_PLACE}[\]］】]")
_SOME_UNFINISHED: Final = re.compile(rf"(?:{_BEGUN}(?:\s?[,;–-]\s?|{_PLACE})|[\[［【]\s?)\Z")
_NUMBER: Final = re.compile(r"\d+")
WIDEST: Final = 20
"""`[1-20]` cites all of them, `[1-99]` its ends."""


class PlainCitations:
    """Lets text through in pieces, every citation in the one form `[1][2]` that is judged.

    `[1, 2]`, `[1-3]`, `[ 1 ]`, `【1†page】` and digits of other scripts are citations to a reader,
    too. Intervals that begin with 0, and dates, are none.
    """

    def __init__(self) -> None:
        self._held = ""

    def admit(self, piece: str) -> str:
        """The text that is decided by now."""
        text = self._held + piece
        unfinished = _SOME_UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        self._held = text[cut:]
        return _SOME.sub(_plain, text[:cut])

    def finish(self) -> str:
        """What was still held back."""
        rest, self._held = self._held, ""
        return rest


def _plain(some: re.Match[str]) -> str:
    told = _NUMBER.findall(some[0].partition("†")[0])
    if len(told) > 1 and any(one.startswith("0") for one in told):
        return some[0]
    numbers = [int(one) for one in told]
    if len(numbers) == 2 and re.search("[–-]", some[0]) and 0 < numbers[1] - numbers[0] < WIDEST:
        numbers = list(range(numbers[0], numbers[1] + 1))
    return "".join(f"[{one}]" for one in sorted(set(numbers)))


class CitationGuard:
    """Lets an answer's text through in pieces, holding back only an unfinished marker.

    A marker `[n]` outside 1 to `passages` is taken out; `cited` collects those let through. A
    bracket that was shown before it could be judged (`[` of more than six digits, or around a
    marker that was taken out) stays open: its `]` is taken out.
    """

    def __init__(self, passages: int) -> None:
        self._passages = passages
        self._plain = PlainCitations()
        self._held = ""
        self._open = ""
        self.cited: set[int] = set()

    def admit(self, piece: str) -> str:
        """The text that may be shown now."""
        return self._guarded(self._plain.admit(piece))

    def _guarded(self, piece: str) -> str:
        text = self._held + piece
        if not self._open and "[" not in text and not text[-1:].isspace():
            self._held = ""
            return text
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        self._held = text[cut:]
        between, *rest = _MARKER.split(text[:cut])
        shown = self._unclosed(between)
        for marker, between in zip(rest[::2], rest[1::2], strict=True):
            shown += self._judged(marker) + self._unclosed(between)
        return shown

    def finish(self) -> str:
        """What was still held back, when nothing more can come."""
        shown = self._guarded(self._plain.finish())
        rest, self._held = self._held, ""
        return (shown + rest).rstrip()

    def _judged(self, marker: str) -> str:
        number = int(marker.strip()[1:-1])
        if not 1 <= number <= self._passages:
            return ""
        self.cited.add(number)
        self._open = ""
        return marker

    def _unclosed(self, between: str) -> str:
        text = _CLOSED.sub(lambda run: run[0].replace("]", ""), self._open + between)
        shown = text[len(self._open) :]
        unclosed = _OPEN.search(text)
        self._open = unclosed[0][:2] if unclosed else ""
        return shown


def cited_in(text: str) -> frozenset[int]:
    """The numbers that a text cites."""
    return frozenset(int(number) for number in _CITED.findall(text))
