"""What a long-lived process does beside its work: purge, take a free lease, forget."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from orchestrator.domain.errors import RagError
from orchestrator.indexing.library import Library
from orchestrator.ingestion.purging import Purger
from orchestrator.ports.catalog import Sessions
from orchestrator.ports.lease import Lease

log = structlog.get_logger(__name__)

EVERY_S: Final = 5.0
FORGET_S: Final = 3_600.0


class Housekeeping:
    """Runs until cancelled; sessions that nobody used for so long are forgotten."""

    def __init__(
        self,
        purger: Purger,
        library: Library,
        lease: Lease,
        sessions: Sessions,
        *,
        retention: timedelta,
    ) -> None:
        self._purger = purger
        self._library = library
        self._lease = lease
        self._sessions = sessions
        self._retention = retention
        self._forgot_at = -FORGET_S

    async def run(self) -> None:
        """One round, and a pause, for ever."""
        while True:
            try:
                await self.round()
            except (RagError, OSError) as error:
                log.warning("housekeeping_failed", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def round(self) -> None:
        """Take the lease if its holder has gone, purge what is left, forget once an hour."""
        if not self._lease.held and self._lease.acquire():
            log.info("lease_acquired", effect="local indexes are persisted by this process now")
        if self._lease.held:
            await self._library.reopen()
        await self._purger.pending()
        if time.monotonic() - self._forgot_at > FORGET_S:
            await self._sessions.forget(datetime.now(UTC) - self._retention)
            self._forgot_at = time.monotonic()
