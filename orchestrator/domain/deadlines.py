"""Time limits for each step of a stream, by one timer for all of them."""

from __future__ import annotations

import asyncio
import math
from typing import Any


class Deadline:
    """As `asyncio.timeout_at` around one step after the other, at a fraction of its cost.

    Its timer is not moved with each step: when it rings too soon, it is set anew. Steps do not
    overlap, but each may be of another task. Close it at the end.
    """

    __slots__ = ("_at", "_before", "_loop", "_over", "_rings_at", "_task", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = self._at = math.inf
        self._before = 0
        self._over = False

    def by(self, at: float) -> Deadline:
        """The block must be over at that time of the loop's clock, else it raises `TimeoutError`.

        Around one `await`, never around a `yield`.
        """
        self._at = at
        return self

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task(self._loop)
        assert task is not None
        self._before = task.cancelling()
        if self._at < self._rings_at:
            self._set(self._at)

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        task, self._task = self._task, None
        if self._over and task is not None:
            self._over = False
            if task.uncancel() <= self._before and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _set(self, at: float) -> None:
        self.close()
        self._rings_at = at
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._rings_at = math.inf
        if self._task is None:
            return
        if self._loop.time() < self._at:
            self._set(self._at)
        else:
            self._over = True
            self._task.cancel()
