"""What one document may take: more as long as it gets on, and so much in all."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

from adapters.parser.answers import Nonsense, step
from adapters.parser.frames import STEP_S
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import TOO_SLOW, Progress


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may take, and what a process may have grown to before it is replaced.

    `cpu_s` and `wall_s` begin anew with each step of progress; `total_s` bounds both.
    """

    cpu_s: int
    wall_s: float
    total_s: float
    max_text_chars: int
    recycle_after: int
    recycle_bytes: int

    @property
    def answer_bytes(self) -> int:
        """Four bytes a character at most, with room for structure."""
        return 4 * self.max_text_chars + (16 << 20)


class Watch:
    """Over a process with one document: what it may still take, and how far it says that it is."""

    def __init__(self, pid: int, limits: Limits, progress: Progress) -> None:
        self._pid = pid
        self._limits = limits
        self._progress = progress
        self._began = time.monotonic()
        self._steps = 0
        self._done = self._total = 0
        self._last_cpu = self._used() + limits.total_s
        self._renew()

    @property
    def left_s(self) -> float:
        """How long it may go on without a step."""
        return min(self._limits.wall_s, self._began + self._limits.total_s - time.monotonic())

    def step(self, content: bytes) -> None:
        """Progress was told: pass it on, and allow for more.

        Raises:
            Nonsense: when it leads nowhere, or comes too often.
        """
        done, total = step(content)
        self._steps += 1
        if not self._done < done <= total or total != (self._total or total):
            raise Nonsense("it told of progress that is none")
        if self._steps > 8 + 2 * (time.monotonic() - self._began) / STEP_S:
            raise Nonsense("it told of progress without end")
        self._done, self._total = done, total
        self._renew()
        self._progress(done, total)

    def too_slow(self) -> Unsupported:
        """The refusal of a document that took too long."""
        in_all = time.monotonic() - self._began >= self._limits.total_s
        return self._refusal(f"{self._limits.total_s if in_all else self._limits.wall_s:g} s")

    def too_busy(self) -> Unsupported:
        """The refusal of a document that took too much of a processor."""
        return self._refusal(f"{self._cpu_s:g} s of processor time")

    def _refusal(self, limit: str) -> Unsupported:
        where = f", and came to {self._done} of {self._total}" if self._done else ""
        return Unsupported(f"reading the document took more than {limit}{where}", code=TOO_SLOW)

    def _renew(self) -> None:
        most = self._used() + self._limits.cpu_s
        self._cpu_s = self._limits.cpu_s if most <= self._last_cpu else self._limits.total_s
        _, hard = resource.prlimit(self._pid, resource.RLIMIT_CPU)
        resource.prlimit(self._pid, resource.RLIMIT_CPU, (int(min(most, self._last_cpu)) + 1, hard))

    def _used(self) -> float:
        return time.clock_gettime((~self._pid << 3) | 2)  # the clock of that process
