"""Grounding: no answer leaves with a citation of a passage that was not given."""

from __future__ import annotations

import re
from typing import Final

_MARKER: Final = re.compile(r"\s?\[(\d{1,6})\]")
_UNFINISHED: Final = re.compile(r"\s?\[\d{0,6}$|\s$")


class CitationGuard:
    """Lets an answer's text through in pieces, holding back only an unfinished marker.

    A marker `[n]` outside 1 to `passages` is taken out; `cited` collects those let through.
    """

    def __init__(self, passages: int) -> None:
        self._passages = passages
        self._held = ""
        self.cited: set[int] = set()

    def admit(self, piece: str) -> str:
        """The text that may be shown now."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        self._held = text[cut:]
        return _MARKER.sub(self._judge, text[:cut])

    def finish(self) -> str:
        """What was still held back, when nothing more can come."""
        rest, self._held = self._held, ""
        return rest.rstrip()

    def _judge(self, marker: re.Match[str]) -> str:
        number = int(marker[1])
        if not 1 <= number <= self._passages:
            return ""
        self.cited.add(number)
        return marker[0]
