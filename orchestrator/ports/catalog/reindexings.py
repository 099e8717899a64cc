"""Re-indexings: what is left to do of them, and the acts by which they move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.documents import Document, Piece
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.domain.workspaces import Footing, Workspace


@dataclass(frozen=True, slots=True)
class Lagging:
    """A document that the footing beside lacks as readers see it: published at `seen`.

    Its title, file and version are those that readers see, whatever is newer and on its way; no
    document where readers see nothing of it any more.
    """

    document_id: str
    seen: int
    version: int = 0
    title: str = ""
    blob_key: str = ""
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """A version's chunks for the footing beside, made from what readers saw since `seen`."""

    document_id: str
    version: int
    seen: int
    generation: int
    model: str
    pieces: Sequence[Piece]
    hashes: Sequence[bytes]


class Reindexings(Protocol):
    """One at a time of each workspace; workspaces are given by their uid."""

    async def begin(
        self, workspace: str, after: Footing, models: Models, *, automatic: bool
    ) -> Reindexing:
        """A new one; it numbers the generation itself, where there must be another.

        Raises:
            NotFound: when the workspace is gone.
            Conflict: when one is open already, or there is nothing to change.
        """
        ...

    async def latest(self, workspace: str) -> Reindexing | None:
        """The newest, open or ended, with how far it has come."""
        ...

    async def open(self) -> Sequence[Reindexing]:
        """Those that have not ended, of live workspaces, without how far they have come."""
        ...

    async def of(self, workspace: str) -> Reindexing | None:
        """The open one of a workspace; cheap."""
        ...

    async def held(self, workspace: str) -> bool:
        """Whether documents must not be published now, so that the footing beside catches up."""
        ...

    async def take(self, one: Reindexing, runner: str, *, seconds: float) -> bool:
        """Claim it for so many seconds, or renew the claim; whether it is the runner's."""
        ...

    async def release(self, runner: str) -> None:
        """Give back what the runner holds."""
        ...

    async def lagging(self, one: Reindexing, *, after: str, limit: int) -> Sequence[Lagging]:
        """Documents that the footing beside lacks, by id, after the id given."""
        ...

    async def publish(self, one: Reindexing, editions: Sequence[Edition]) -> None:
        """Put editions beside, one revision each; what readers see is another by now is left out.

        Raises:
            Conflict: when a vector is missing; nothing is published.
        """
        ...

    async def advanced(self, one: Reindexing, share: float) -> None:
        """Note how much of the indexes beside is filled."""
        ...

    async def settle(self, one: Reindexing, state: State, *, reason: str | None = None) -> bool:
        """Move it to `state` if it still is as given, and that is a way from there; whether it did.

        From building to verified; from both to cancelled or failed; once switched, to confirmed.
        """
        ...

    async def switch(self, one: Reindexing) -> Workspace | None:
        """Make the footing beside the one that serves: a configuration and a revision.

        After the switch, that is the way back, which ends it. None when a document is not yet on
        the footing beside, or it has moved on. Where few are not there yet, none is published
        for a few seconds then, and not again for a good while, however often it is tried.
        """
        ...

    async def unerased(self, *, seconds: float) -> Sequence[Reindexing]:
        """The ended ones whose leavings nobody can read any more: switched longer ago than that."""
        ...

    async def erase(self, one: Reindexing) -> int:
        """Erase some of what an ended one left: chunks, then vectors; how many, none at the end."""
        ...

    async def erased(self, one: Reindexing) -> None:
        """Note that nothing is left of it."""
        ...
