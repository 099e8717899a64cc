"""The history of each document."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.domain.documents import Document, Version


class Versions(Protocol):
    """The history of each document."""

    async def list(self, document_id: str, *, before: int | None, limit: int) -> Sequence[Version]:
        """The versions of a live document, newest first, before the number given."""
        ...

    async def get(self, document_id: str, number: int) -> Version:
        """One version of a live document.

        Raises:
            NotFound: when there is none of that number.
        """
        ...

    async def requeue(self, document_id: str) -> Document:
        """Queue the newest version once more, unless it waits or is being worked on already.

        Raises:
            NotFound: when there is no such live document.
        """
        ...
