"""Answers to requests that may be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was given: where it pointed to, and its body.

    `about` is the document that the body shows; the body is None when that was deleted since.
    """

    location: str
    body: Mapping[str, Any] | None
    about: str | None = None


class Replies(Protocol):
    """Answers by the key under which a caller may repeat a request, for a day."""

    async def begin(
        self, subject: str, key: str, fingerprint: str, *, workspace: str, seconds: float
    ) -> Reply | None:
        """The answer, if there is one; else the key is this request's for so many seconds.

        Raises:
            Rejected: when the key came with another request (`idempotency_conflict`).
            Conflict: when the same request is in progress (`idempotency_in_progress`).
        """
        ...

    async def finish(self, subject: str, key: str, reply: Reply) -> None:
        """Keep the answer."""
        ...

    async def forget(self, subject: str, key: str) -> None:
        """Let go of a key whose request failed; it may be tried again."""
        ...
