"""The queue of ingestion work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

GAVE_UP: Final = "too_many_attempts"
"""The code of a document that was tried too often: each time, something ended the attempt."""


@dataclass(frozen=True, slots=True)
class Job:
    """One version of one document to be indexed; `attempts` counts from 1."""

    id: int
    workspace: str
    document_id: str
    version: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many jobs wait for a worker, and for how long the oldest has, in seconds."""

    waiting: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What was given up: a document that is `failed` since, or a message that names none."""

    id: str
    document_id: str | None
    reason: str
    at: datetime


class Queue(Protocol):
    """Jobs enter with the upload that causes them, in one transaction of the catalog.

    A claimed job that is neither finished nor renewed returns to the queue when its claim ends,
    so a killed worker loses nothing; or sooner, where the queue knows that the worker is dead.
    The name of a worker is its own: no two share one, and none is used again. A worker whose
    claim has ended, and whose job another has taken, can neither fail nor give it back.
    """

    async def dispatch(self) -> int:
        """Bring jobs to where workers look for them; how many. Every process may, at any time."""
        ...

    async def claim(self, worker: str, *, limit: int, seconds: float) -> Sequence[Job]:
        """Take up to `limit` jobs for so many seconds: the oldest, as far as the queue can tell."""
        ...

    async def renew(self, worker: str, *, seconds: float) -> None:
        """Extend every claim of the worker."""
        ...

    async def release(self, worker: str, *, tried: bool = True) -> None:
        """Give back every job that the worker still holds; if not `tried`, it was no attempt."""
        ...

    async def postpone(self, job: Job, *, seconds: float, tried: bool = True) -> None:
        """Give back one job, to be taken no sooner than that; if not `tried`, it was no attempt."""
        ...

    async def fail(self, job: Job, reason: str, code: str) -> None:
        """End a job that cannot succeed; its document is `failed`, for the reason given.

        The reason is a sentence for people, the code stable and for programs.
        """
        ...

    async def bury(self, job: Job, reason: str) -> None:
        """End a job that was tried too often, and keep a dead letter of it."""
        ...

    async def dead(self) -> Sequence[DeadLetter]:
        """What was given up and not been revived since, oldest first."""
        ...

    async def discard(self, letter: DeadLetter) -> None:
        """Forget a dead letter: what it was about is dealt with."""
        ...

    async def backlog(self) -> Backlog:
        """What no worker has claimed; cheap enough for every upload and every scrape."""
        ...
