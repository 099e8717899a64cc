"""The cache of answers."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.answers import Answer


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What makes two requests the same: `digest` covers question, scope and configuration."""

    workspace: str
    digest: str


class Cache(Protocol):
    """Answers by key, each of one revision of its workspace."""

    async def get(self, key: CacheKey, *, revision: int) -> Answer | None:
        """The answer stored under the key at exactly this revision; None is a miss."""
        ...

    async def put(self, key: CacheKey, answer: Answer, *, revision: int) -> None:
        """Remember the answer until its time to live is over, or a later `put` replaces it."""
        ...

    async def purge(self, workspace: str) -> None:
        """Erase every answer of the workspace, given by its uid."""
        ...
