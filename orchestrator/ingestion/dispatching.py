"""Bringing jobs to where workers look for them, for as long as the process lives."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from orchestrator.domain.errors import RagError, Unavailable
from orchestrator.ports.queue import Queue

IDLE_S: Final = 0.5


class Observer(Protocol):
    """What an operator wants to hear of."""

    def worker_waits(self, error: RagError) -> None:
        """A dependency is down; it will be tried again."""
        ...


class Dispatcher:
    """Runs until cancelled, in every process: jobs come with uploads, and back from workers."""

    def __init__(self, queue: Queue, arrived: asyncio.Event, observer: Observer) -> None:
        self._queue = queue
        self._arrived = arrived
        self._observer = observer

    async def run(self) -> None:
        """One dispatch after another, with a pause where there is nothing."""
        while True:
            try:
                if await self._queue.dispatch():
                    continue
            except Unavailable as error:
                self._observer.worker_waits(error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._arrived.wait()
            self._arrived.clear()
