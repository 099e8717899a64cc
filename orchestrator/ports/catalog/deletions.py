"""Deletions, their receipts, and the holds that forbid them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.domain.documents import Document, Receipt


@dataclass(frozen=True, slots=True)
class Unpurged:
    """Deleted things that some store still holds: receipts, and the uids of workspaces."""

    receipts: Sequence[tuple[str, Receipt]]
    workspaces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of documents that were to be deleted: receipts, and by id why others are held."""

    receipts: Sequence[Receipt] = ()
    held: Mapping[str, str] = field(default_factory=dict)


class Deletions(Protocol):
    """Tombstones now, erasure after; and the holds that forbid both."""

    async def document(self, document_id: str) -> Receipt:
        """Put up the tombstone and erase text and vectors; again, it gives the same receipt.

        Raises:
            NotFound: when there never was such a document.
            Conflict: when it is under legal hold.
        """
        ...

    async def documents(self, ids: Sequence[str]) -> Withdrawn:
        """The same for several, in one transaction; unknown ones are left out."""
        ...

    async def workspace(self, name: str) -> str:
        """Put up the tombstone of a workspace and all in it; its uid. The name is free again.

        Raises:
            NotFound: when there is no such workspace.
            Conflict: when a document in it is under legal hold.
        """
        ...

    async def hold(self, document_id: str, reason: str | None) -> Document:
        """Put a live document under legal hold, or with no reason release it.

        Raises:
            NotFound: when there is no such live document.
        """
        ...

    async def record(self, document_id: str, stores: Mapping[str, str]) -> Receipt:
        """Write the state of stores into the receipt, and give it."""
        ...

    async def erase(self, uid: str) -> None:
        """Erase a deleted workspace's last rows, when every other store has been purged."""
        ...

    async def unpurged(self) -> Unpurged:
        """What is left to purge; receipts come with their workspace's uid."""
        ...
