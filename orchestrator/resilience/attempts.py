"""Another try, after a pause, of what failed before anything of it was shown."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from orchestrator.domain.context import ending
from orchestrator.domain.errors import Exhausted, RagError, Unavailable
from orchestrator.ports.language import Completion, Finish, LanguageModel
from orchestrator.resilience.patience import ends_after


class Retried:
    """A `LanguageModel` that is asked up to `attempts` times, all within `total_s`.

    The pause is drawn from the upper half of `backoff_s`, doubled each time up to `longest_s`. It
    is as long as the server asks for, unless that is beyond `longest_s`: then there is no further
    attempt, and neither is there where it would begin too late. `retried` is told each code.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        attempts: int,
        backoff_s: float,
        longest_s: float,
        total_s: float,
        retried: Callable[[str], None],
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._backoff_s = backoff_s
        self._longest_s = longest_s
        self._total_s = total_s
        self._retried = retried

    @property
    def name(self) -> str:
        """As it is."""
        return self._inner.name

    @property
    def window(self) -> int:
        """As it is."""
        return self._inner.window

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """As it is: a count is not worth a pause."""
        return await self._inner.count(texts)

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is, from the first attempt that says anything; raises what the last one does."""
        clock, ends = asyncio.get_running_loop().time, ends_after(self._total_s)
        for attempt in itertools.count(1):
            shown = False
            try:
                async with aclosing(self._attempt(asked, ends)) as pieces:
                    async for piece in pieces:
                        shown = True
                        yield piece
                return
            except (Unavailable, Exhausted) as error:
                pause = self._pause(attempt, error)
                if shown or attempt >= self._attempts or pause is None or clock() + pause >= ends:
                    raise
                self._retried(type(error).code)
            await asyncio.sleep(pause)

    async def _attempt(self, asked: Completion, ends: float) -> AsyncGenerator[str | Finish]:
        async with aclosing(self._inner.stream(asked)) as pieces:
            while True:
                try:
                    with ending(ends):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                yield piece

    def _pause(self, attempt: int, error: RagError) -> float | None:
        """Seconds until the next attempt; None where the server asks for too many."""
        longest = min(self._backoff_s * 2 ** (attempt - 1), self._longest_s)
        pause = random.uniform(longest / 2, longest)  # noqa: S311  # to spread load, not to hide
        told = not isinstance(error, Unavailable) or error.told
        wanted = error.retry_after if told and error.retry_after else 0.0
        return None if wanted > self._longest_s else max(pause, wanted)
