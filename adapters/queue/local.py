"""The queue in the catalog's own database, and nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import true

from adapters.catalog.database import Database
from adapters.presence import Presence
from adapters.queue.table import JobTable
from orchestrator.ports.queue import Job


class LocalQueue(JobTable):
    """`orchestrator.ports.queue.Queue`; claims of a dead process are free at once."""

    def __init__(self, database: Database, presence: Presence) -> None:
        super().__init__(database)
        self._presence = presence

    async def dispatch(self) -> int:
        """None: workers look into the table itself."""
        return 0

    async def claim(self, worker: str, *, limit: int, seconds: float) -> Sequence[Job]:
        """Claim the oldest jobs that nobody holds."""
        self._presence.enter(worker)
        for dead in self._presence.departed():
            await self.release(dead)
            self._presence.forget(dead)
        return await self._take(worker, true(), limit=limit, seconds=seconds)
