"""How much a workspace may hold."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.errors import Exhausted


@dataclass(frozen=True, slots=True)
class Holding:
    """What a workspace holds: its live documents, and the bytes of the newest version of each."""

    documents: int = 0
    bytes: int = 0

    def __add__(self, other: Holding) -> Holding:
        return Holding(self.documents + other.documents, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that a workspace may hold; None is no limit."""

    max_documents: int | None = None
    max_bytes: int | None = None

    def admit(self, held: Holding, more: Holding) -> None:
        """Let growth through that stays within the limits; what does not grow always may.

        Raises:
            Exhausted: naming the limit, and what is held.
        """
        after = held + more
        if self.max_documents is not None and held.documents < after.documents:
            _compare("max_documents", self.max_documents, held.documents, after.documents)
        if self.max_bytes is not None and held.bytes < after.bytes:
            _compare("max_bytes", self.max_bytes, held.bytes, after.bytes)


UNLIMITED = Quota()


def _compare(name: str, limit: int, held: int, after: int) -> None:
    if after > limit:
        raise Exhausted(
            f"the workspace's quota {name} is {limit}: it holds {held}, and would hold {after}",
            code="quota_exceeded",
            field=name,
        )
