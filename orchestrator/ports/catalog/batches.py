"""Batches of documents, and the errands that they make."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orchestrator.domain.batches import Batch, Ending, Errand, Item, Kind, Line, Outcome


class Batches(Protocol):
    """Batches as those see them who handed them in."""

    async def create(
        self,
        workspace: str,
        kind: Kind,
        items: Sequence[Item],
        *,
        plan: Mapping[str, Any],
        seconds: float,
    ) -> Batch:
        """A new batch, its source ids distinct; one of files is the caller's for so many seconds.

        Raises:
            NotFound: when the workspace is gone.
        """
        ...

    async def get(self, batch_id: str) -> Batch:
        """The batch with its counts.

        Raises:
            NotFound: when there is none.
        """
        ...

    async def lines(self, batch_id: str, *, after: int, limit: int) -> Sequence[Line]:
        """A page of its items, by number, after the number given; numbers begin at 1."""
        ...


class Errands(Protocol):
    """Batches as those see them who work on them."""

    async def take(self, runner: str, *, seconds: float) -> Errand | None:
        """Claim the batch that waited longest, of those that nobody holds, and give its next item.

        A batch is worked on by one runner at a time, and returns when its claim ends. Files that
        were sent along are not errands.
        """
        ...

    async def release(self, runner: str) -> None:
        """Give back every batch that the runner still holds."""
        ...

    async def settle(
        self, batch_id: str, number: int, ending: Ending, *, most: int = 0, seconds: float = 0.0
    ) -> None:
        """Write what became of an item, and add what it led to, as one act.

        Of what was found, that whose source id is new is added until the batch has `most` items.
        The claim then ends after `seconds`; what was written about an item stays. The bytes spent
        on it are added to the batch's.
        """
        ...

    async def settle_all(
        self, batch_id: str, outcomes: Mapping[int, Outcome], *, seconds: float
    ) -> None:
        """Write what became of several items, by number, as one act; nothing was found by them."""
        ...
