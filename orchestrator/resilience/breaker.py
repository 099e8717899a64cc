"""A circuit breaker: a model server that fails again and again is left alone for a while."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from orchestrator.domain.errors import Unavailable
from orchestrator.ports.language import Completion, Finish, LanguageModel
from orchestrator.resilience.relaying import Ending, relayed

State: TypeAlias = Literal["closed", "half_open", "open"]

RECENT: Final = 20
"""So many outcomes are remembered."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """When a breaker opens, and for how long.

    It opens where `failures` of the last `RECENT` outcomes, none of them older than `window_s`,
    are failures, and at least the `share` of them are; for `open_s`, and twice as long after each
    trial that fails, up to `longest_s`.
    """

    failures: int = 5
    share: float = 0.5
    window_s: float = 30.0
    open_s: float = 5.0
    longest_s: float = 60.0


class Breaker:
    """Counts outcomes; while it is open it lets one call through now and then, as a trial.

    Nothing runs behind it: the first call after its time is the trial, and closes it by success.
    What is undecided, a call that was cancelled or refused, leaves it as it was, and so does a
    trial of more than `longest_s`. Calls that began before its state changed no longer count.
    """

    def __init__(
        self,
        name: str,
        tolerance: Tolerance,
        *,
        opened: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._tolerance = tolerance
        self._opened = opened
        self._clock = clock
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=RECENT)
        self._until: float | None = None
        self._open_s = tolerance.open_s
        self._era = 0
        self._trial_until = -math.inf

    @property
    def state(self) -> State:
        """`open` for its time; then `half_open`, until a trial succeeds."""
        if self._until is None:
            return "closed"
        return "open" if self._clock() < self._until else "half_open"

    @contextmanager
    def watching(self) -> Iterator[Callable[[], None]]:
        """Let one call through, which tells its success by what is yielded.

        Raises:
            Unavailable: while it is open, or its trial runs.
        """
        self.require_not_open()
        if self._until is not None:
            if self._clock() < self._trial_until:
                raise self._refusal(self._tolerance.open_s)
            self._trial_until = self._clock() + self._tolerance.longest_s
            self._era += 1
        era = self._era
        try:
            yield lambda: self._succeeded(era)
        except Unavailable:
            self._failed(era)
            raise
        finally:
            if era == self._era:
                self._trial_until = -math.inf

    def require_not_open(self) -> None:
        """Return unless it is open.

        Raises:
            Unavailable: when it is, with the time that is left.
        """
        if self._until is not None and (left := self._until - self._clock()) > 0:
            raise self._refusal(left)

    async def ping(self) -> None:
        """Return while it is closed.

        Raises:
            Unavailable: when it is not.
        """
        if self._until is not None:
            raise self._refusal(max(0.0, self._until - self._clock()))

    def _succeeded(self, era: int) -> None:
        if era != self._era:
            return
        if self._until is None:
            self._outcomes.append((self._clock(), True))
            return
        self._until, self._open_s = None, self._tolerance.open_s
        self._change()

    def _failed(self, era: int) -> None:
        if era != self._era:
            return
        if self._until is not None:
            self._open_s = min(2 * self._open_s, self._tolerance.longest_s)
            self._open()
            return
        now = self._clock()
        self._outcomes.append((now, False))
        recent = [well for at, well in self._outcomes if now - at <= self._tolerance.window_s]
        failures = recent.count(False)
        if failures >= max(self._tolerance.failures, self._tolerance.share * len(recent)):
            self._open()

    def _open(self) -> None:
        self._until = self._clock() + self._open_s
        self._change()
        self._opened()

    def _change(self) -> None:
        self._era += 1
        self._trial_until = -math.inf
        self._outcomes.clear()

    def _refusal(self, seconds: float) -> Unavailable:
        return Unavailable(self._name, "it failed again and again of late", retry_after=seconds)


class Guarded:
    """A `LanguageModel` behind a breaker: a failure is what raises `Unavailable`."""

    def __init__(self, inner: LanguageModel, breaker: Breaker) -> None:
        self._inner = inner
        self._breaker = breaker

    @property
    def name(self) -> str:
        """As it is."""
        return self._inner.name

    @property
    def window(self) -> int:
        """As it is."""
        return self._inner.window

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """As it is, unless the breaker is open; no trial: a server may count and yet not write."""
        self._breaker.require_not_open()
        return await self._inner.count(texts)

    def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is, unless the breaker is open: then `Unavailable`, at once."""
        return relayed(self._inner, asked, self._watched())

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[Ending]:
        with self._breaker.watching() as succeeded:

            def ended(finish: Finish) -> Finish:
                succeeded()
                return finish

            yield ended
