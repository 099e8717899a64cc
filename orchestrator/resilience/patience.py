"""Time limits: for a model's first piece, for each further one, and for the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing
from typing import Final

from orchestrator.domain.context import ends_at
from orchestrator.domain.deadlines import Deadline
from orchestrator.domain.errors import TimedOut, Unavailable
from orchestrator.ports.language import Completion, Finish, LanguageModel

SHARE: Final = 0.9
"""Of the time that a request has left; the rest is for whoever answers instead."""


def ends_after(seconds: float) -> float:
    """When so many seconds are over, or most of what the request has left, by the loop's clock."""
    now = asyncio.get_running_loop().time()
    return now + min(seconds, SHARE * (ends_at() - now))


class Patient:
    """A `LanguageModel` that is given up when it says nothing for too long.

    Its first piece may take `first_s`, each further one `idle_s`; who reads slowly is not timed.
    """

    def __init__(self, inner: LanguageModel, *, first_s: float, idle_s: float) -> None:
        self._inner = inner
        self._first_s = first_s
        self._idle_s = idle_s

    @property
    def name(self) -> str:
        """As it is."""
        return self._inner.name

    @property
    def window(self) -> int:
        """As it is."""
        return self._inner.window

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """As it is, within the time of a first piece."""
        try:
            async with asyncio.timeout(self._first_s):
                return await self._inner.count(texts)
        except TimeoutError as error:
            raise self._silent(self._first_s) from error

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is.

        Raises:
            Unavailable: when a piece takes too long.
            TimedOut: when the request must be over.
        """
        clock, limit_s = asyncio.get_running_loop().time, self._first_s
        async with aclosing(self._inner.stream(asked)) as pieces:
            with closing(Deadline()) as deadline:
                while True:
                    late, over = clock() + limit_s, ends_at()
                    try:
                        with deadline.by(min(late, over)):
                            piece = await anext(pieces)
                    except StopAsyncIteration:
                        return
                    except TimeoutError as error:
                        if over < late:
                            raise TimedOut(f"{self.name} did not finish in time") from error
                        raise self._silent(limit_s) from error
                    yield piece
                    limit_s = self._idle_s

    def _silent(self, seconds: float) -> Unavailable:
        return Unavailable(self.name, f"it said nothing for {seconds:g} s")
