"""So many streams at once, so many waiting, each for so long: what is beyond is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from orchestrator.domain.errors import Exhausted
from orchestrator.ports.language import Completion, Finish, LanguageModel
from orchestrator.resilience.patience import ends_after
from orchestrator.resilience.relaying import Ending, relayed

WEIGHT: Final = 0.2
"""Of the last stream in what a stream typically takes."""
LEAST_S: Final = 1.0
"""Nobody is told to come back sooner."""


class Limited:
    """A `LanguageModel` with `parallel` streams at once, and `queued` that wait up to `queue_s`.

    Who waits is served in order. `refused` is told of each that is not.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        parallel: int,
        queued: int,
        queue_s: float,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._parallel = parallel
        self._queued = queued
        self._queue_s = queue_s
        self._refused = refused
        self._slots = asyncio.Semaphore(parallel)
        self._running = 0
        self._waiting = 0
        self._typical_s = queue_s

    @property
    def name(self) -> str:
        """As it is."""
        return self._inner.name

    @property
    def window(self) -> int:
        """As it is."""
        return self._inner.window

    @property
    def running(self) -> int:
        """How many streams have a slot."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return self._waiting

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """As it is: a count takes no slot."""
        return await self._inner.count(texts)

    def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is, once there is a slot.

        Raises:
            Exhausted: when too many wait, or none becomes free in time; `retry_after` is when
                those before it should be done.
        """
        return relayed(self._inner, asked, self._slot())

    def require_room(self) -> None:
        """Return if one more may at least wait; raises `Exhausted`."""
        if self._slots.locked() and self._waiting >= self._queued:
            raise self._refusal()

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Ending]:
        await self._enter()
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield lambda finish: finish
        finally:
            self._leave(clock() - began)

    async def _enter(self) -> None:
        self.require_room()
        self._waiting += 1
        try:
            async with asyncio.timeout_at(ends_after(self._queue_s)):
                await self._slots.acquire()
        except TimeoutError as error:
            raise self._refusal() from error
        finally:
            self._waiting -= 1
        self._running += 1

    def _leave(self, seconds: float) -> None:
        self._running -= 1
        self._slots.release()
        self._typical_s += WEIGHT * (seconds - self._typical_s)

    def _refusal(self) -> Exhausted:
        self._refused()
        seconds = self._typical_s * (self._waiting + 1) / self._parallel
        return Exhausted(
            f"{self.name} has too much to do: {self._running} streams, {self._waiting} waiting",
            retry_after=round(max(LEAST_S, seconds), 1),
        )
