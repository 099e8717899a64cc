"""What a long-lived process does beside its work: purge what is pending, take a free lease."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from orchestrator.domain.errors import RagError
from orchestrator.indexing.library import Library
from orchestrator.ingestion.purging import Purger
from orchestrator.ports.lease import Lease

log = structlog.get_logger(__name__)

EVERY_S: Final = 5.0


class Housekeeping:
    """Runs until cancelled."""

    def __init__(self, purger: Purger, library: Library, lease: Lease) -> None:
        self._purger = purger
        self._library = library
        self._lease = lease

    async def run(self) -> None:
        """One round, and a pause, for ever."""
        while True:
            try:
                await self.round()
            except (RagError, OSError) as error:
                log.warning("housekeeping_failed", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def round(self) -> None:
        """Take the lease if its holder has gone, and purge what a deletion left."""
        if not self._lease.held and self._lease.acquire():
            log.info("lease_acquired", effect="local indexes are persisted by this process now")
        if self._lease.held:
            await self._library.reopen()
        await self._purger.pending()
