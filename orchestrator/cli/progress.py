"""How far a command has come, on standard error: a bar, or a line now and then."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.text import Text

from orchestrator.cli.outcomes import amount

WINDOW_S: Final = 30.0
SAMPLE_S: Final = 1.0
LINE_S: Final = 10.0


class Course:
    """Documents and bytes done of so many; rates are those of the last half minute."""

    def __init__(
        self,
        documents: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        noun: str = "documents",
    ) -> None:
        self.documents = documents
        self.done = 0
        self.bytes = 0
        self._noun = noun
        self._clock = clock
        self._began = clock()
        self._samples = deque([(self._began, 0, 0)])

    def advance(self, size: int) -> None:
        """One document more."""
        self.done += 1
        self.bytes += size

    def sentence(self) -> str:
        """Where it stands."""
        now = self._clock()
        self._sample(now)
        then, documents, size = self._samples[0]
        past = max(now - then, 0.001)
        rate = (self.done - documents) / past
        left = (self.documents - self.done) / rate if rate else None
        return (
            f"{self.done:,} of {self.documents:,} {self._noun}, {rate:.1f}/s, "
            f"{amount((self.bytes - size) / past)}/s, {_time(now - self._began)} elapsed, "
            f"{'-:--:--' if left is None else _time(left)} left"
        )

    def _sample(self, now: float) -> None:
        if now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, self.done, self.bytes))
        while len(self._samples) > 1 and now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()


class Display:
    """Shows a course: a bar on a terminal, lines elsewhere, nothing where it is to be quiet."""

    def __init__(self, course: Course, console: Console, *, quiet: bool) -> None:
        self._course = course
        self._console = console
        self._lines = not quiet and not console.is_terminal
        self._told = time.monotonic()
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            _Sentence(course),
            console=console,
            disable=quiet or self._lines,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=course.documents)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, size: int) -> None:
        """One document more."""
        self._course.advance(size)
        self._bar.advance(self._task)
        self.tick()

    def tick(self) -> None:
        """A line, if it is time for one."""
        if self._lines and time.monotonic() - self._told >= LINE_S:
            self._told = time.monotonic()
            self._console.print(self._course.sentence())


class _Sentence(ProgressColumn):
    def __init__(self, course: Course) -> None:
        super().__init__()
        self._course = course

    def render(self, task: Task) -> Text:
        """The course's own words."""
        return Text(self._course.sentence())


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
