"""No cache: every request is a miss."""

from orchestrator.domain.answers import Answer
from orchestrator.ports.cache import CacheKey


class NoCache:
    """`orchestrator.ports.cache.Cache` that keeps nothing."""

    async def get(self, key: CacheKey, *, revision: int) -> Answer | None:
        """Miss."""
        return None

    async def put(self, key: CacheKey, answer: Answer, *, revision: int) -> None:
        """Forget at once."""

    async def purge(self, workspace: str) -> None:
        """Erase nothing, as there is nothing."""
