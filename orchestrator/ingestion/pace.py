"""How fast this process works on documents, as an estimate of how long others will wait."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 1.0
"""What a document is taken to need before any has been worked on."""
REMEMBERED: Final = 64
"""About so many documents make the rate: fewer would be jumpy, more would be yesterday's."""


class Pace:
    """The recent seconds of work for each document, as a moving average."""

    def __init__(self) -> None:
        self._each: float | None = None

    def worked(self, documents: int, seconds: float) -> None:
        """So many documents came to their end in so many seconds of work."""
        if not documents:
            return
        each = seconds / documents
        before = each if self._each is None else self._each
        self._each = before + (each - before) * min(1.0, documents / REMEMBERED)

    def estimate(self, waiting: int) -> float:
        """The seconds until that many documents are done, if they are like the recent ones."""
        return waiting * (FIRST_S if self._each is None else self._each)
