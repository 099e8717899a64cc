"""What is kept of a document's reading: pages, warnings, properties, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from orchestrator.domain.documents import ParsedDocument, Reading

MAX_WARNINGS: Final = 100
MAX_PROPERTIES: Final = 50
MAX_CHARACTERS: Final = 500


class Stopwatch:
    """The seconds of one document's stages, and of its whole way since it was queued."""

    def __init__(self, queued_at: datetime) -> None:
        self._queued_at = queued_at.timestamp()
        self._at = time.monotonic()
        self._seconds = {"queued": self._since_queued()}

    def ended(self, stage: str) -> None:
        """The stage took all the time since the one before it ended."""
        now = time.monotonic()
        self._seconds[stage] = now - self._at
        self._at = now

    def timings(self, **further: float) -> Mapping[str, float]:
        """Every stage that has ended, those given, and the total; to the millisecond."""
        seconds = {**self._seconds, **further, "total": self._since_queued()}
        return {stage: round(one, 3) for stage, one in seconds.items()}

    def _since_queued(self) -> float:
        return max(0.0, time.time() - self._queued_at)  # clocks may be set back


def reading_of(parsed: ParsedDocument) -> Reading:
    """What is worth keeping, within bounds: a file may say anything of itself, at any length."""
    warnings = [_printable(one) for one in parsed.warnings[:MAX_WARNINGS]]
    if len(parsed.warnings) > MAX_WARNINGS:
        warnings.append(f"and {len(parsed.warnings) - MAX_WARNINGS} more warnings")
    properties = list(parsed.properties.items())[:MAX_PROPERTIES]
    return Reading(
        pages=len(parsed.pages) or None,
        warnings=warnings,
        properties={_printable(name): _printable(value) for name, value in properties},
    )


def _printable(text: str) -> str:
    """Without control characters, nor halves of a character, which no response could carry."""
    whole = text.encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() else " " for c in whole[:MAX_CHARACTERS]).strip()
