"""The queue of ingestion work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


class Queue(Protocol):
    """Jobs enter with the upload that causes them, in one transaction of the catalog.

    A claimed job that is neither finished nor renewed returns to the queue when its claim ends,
    so a killed worker loses nothing; or sooner, where the queue knows that the worker is dead.
    The name of a worker is its own: no two share one, and none is used again.
    """

    async def claim(self, worker: str, *, limit: int, seconds: float) -> Sequence[Job]:
        """Take up to `limit` jobs, oldest first, for so many seconds."""
        ...

    async def renew(self, worker: str, *, seconds: float) -> None:
        """Extend every claim of the worker."""
        ...

    async def release(self, worker: str, *, tried: bool = True) -> None:
        """Give back every job that the worker still holds; if not `tried`, it was no attempt."""
        ...

    async def fail(self, job: Job, reason: str, code: str) -> None:
        """End a job that cannot succeed; its document is `failed`, for the reason given.

        The reason is a sentence for people, the code stable and for programs.
        """
        ...

    async def backlog(self) -> Backlog:
        """What no worker has claimed; cheap enough for every upload and every scrape."""
        ...
