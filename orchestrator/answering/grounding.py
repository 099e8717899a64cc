"""Grounding: no answer leaves with a citation of a passage that was not given."""

from __future__ import annotations

import re
from typing import Final

_MARKER: Final = re.compile(r"(\s?\[\d{1,6}\])")
_UNFINISHED: Final = re.compile(r"(?:\s?\[\d{0,6}|\s{1,2})\Z")
_CITED: Final = re.compile(r"\[(\d{1,6})\]")
_OPEN: Final = re.compile(r"\[\d*\Z")
_CLOSED: Final = re.compile(r"\[\d[\d\]]*")


class CitationGuard:
    """Lets an answer's text through in pieces, holding back only an unfinished marker.

    A marker `[n]` outside 1 to `passages` is taken out; `cited` collects those let through. A
    bracket that was shown before it could be judged (`[` of more than six digits, or around a
    marker that was taken out) stays open: its `]` is taken out.
    """

    def __init__(self, passages: int) -> None:
        self._passages = passages
        self._held = ""
        self._open = ""
        self.cited: set[int] = set()

    def admit(self, piece: str) -> str:
        """The text that may be shown now."""
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
        rest, self._held = self._held, ""
        return rest.rstrip()

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
