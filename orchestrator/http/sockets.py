"""How many WebSockets are open: in this process, and of one caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Gauge

from orchestrator.domain.errors import Exhausted
from orchestrator.domain.identity import ANONYMOUS, Principal
from orchestrator.settings.tree import HttpSettings

RETRY_S: Final = 5.0


class Sockets:
    """Holds the process to `http.max_sockets`, and each caller to `http.max_caller_sockets`.

    Who is anonymous may be anybody, and is held to the first alone.
    """

    def __init__(self, limits: HttpSettings, opened: Gauge) -> None:
        self._limits = limits
        self._gauge = opened
        self._open = 0
        self._of: Counter[str] = Counter()

    @contextmanager
    def holding(self, who: Principal) -> Iterator[None]:
        """Count one more of the caller's, until the block ends.

        Raises:
            Exhausted: when there are too many already.
        """
        self._require_room(who)
        self._open += 1
        self._of[who.subject] += 1
        self._gauge.inc()
        try:
            yield
        finally:
            self._open -= 1
            self._of[who.subject] -= 1
            if not self._of[who.subject]:
                del self._of[who.subject]
            self._gauge.dec()

    def _require_room(self, who: Principal) -> None:
        if self._open >= self._limits.max_sockets:
            raise _too_many(f"this server holds {self._open} sockets, and no more")
        own = self._of[who.subject]
        if who != ANONYMOUS and own >= self._limits.max_caller_sockets:
            raise _too_many(f"you have {own} sockets open, and may have no more")


def _too_many(detail: str) -> Exhausted:
    return Exhausted(detail, code="too_many_sockets", retry_after=RETRY_S)
