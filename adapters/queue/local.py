"""The queue in the catalog's own database: durable with the upload that filled it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update

from adapters.catalog.database import Database
from adapters.catalog.schema import documents, jobs, versions
from adapters.presence import Presence
from orchestrator.domain.documents import Status
from orchestrator.ports.queue import Backlog, Job


class LocalQueue:
    """`orchestrator.ports.queue.Queue`; claims of a dead process are free at once."""

    def __init__(self, database: Database, presence: Presence) -> None:
        self._database = database
        self._presence = presence

    async def claim(self, worker: str, *, limit: int, seconds: float) -> Sequence[Job]:
        """Claim the oldest jobs that nobody holds; reads first, so an idle poll never writes."""
        self._presence.enter(worker)
        for dead in self._presence.departed():
            await self.release(dead)
            self._presence.forget(dead)
        now = time.time()
        free = or_(jobs.c.claimed_until.is_(None), jobs.c.claimed_until < now)
        oldest = select(jobs.c.id).where(free).order_by(jobs.c.id).limit(limit)
        async with self._database.read() as connection:
            if (await connection.execute(oldest.limit(1))).first() is None:
                return []
        async with self._database.write() as connection:
            claimed = await connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(oldest))
                .values(
                    claimed_by=worker, claimed_until=now + seconds, attempts=jobs.c.attempts + 1
                )
                .returning(
                    jobs.c.id, jobs.c.workspace, jobs.c.document_id, jobs.c.version, jobs.c.attempts
                )
            )
            return sorted((Job(*row) for row in claimed), key=lambda job: job.id)

    async def renew(self, worker: str, *, seconds: float) -> None:
        """Push every claim of the worker further into the future."""
        async with self._database.write() as connection:
            await connection.execute(
                update(jobs)
                .where(jobs.c.claimed_by == worker)
                .values(claimed_until=time.time() + seconds)
            )

    async def release(self, worker: str, *, tried: bool = True) -> None:
        """Drop the worker's claims."""
        attempts = jobs.c.attempts if tried else jobs.c.attempts - 1
        async with self._database.write() as connection:
            await connection.execute(
                update(jobs)
                .where(jobs.c.claimed_by == worker)
                .values(claimed_by=None, claimed_until=None, attempts=attempts)
            )

    async def fail(self, job: Job, reason: str, code: str) -> None:
        """Drop the job and mark its document, unless a newer version has come."""
        async with self._database.write() as connection:
            await connection.execute(delete(jobs).where(jobs.c.id == job.id))
            await connection.execute(
                update(documents)
                .where(documents.c.id == job.document_id, documents.c.version == job.version)
                .where(documents.c.deleted_at.is_(None))
                .values(
                    status=Status.FAILED,
                    error=reason,
                    error_code=code,
                    updated_at=time.time(),
                )
            )
            await connection.execute(
                update(versions)
                .where(versions.c.document_id == job.document_id)
                .where(versions.c.number == job.version)
                .values(status=Status.FAILED)
            )

    async def backlog(self) -> Backlog:
        """Count the rows that no claim covers."""
        now = time.time()
        free = or_(jobs.c.claimed_until.is_(None), jobs.c.claimed_until < now)
        query = select(func.count(), func.min(jobs.c.created_at)).where(free)
        async with self._database.read() as connection:
            waiting, oldest = (await connection.execute(query)).one()
        return Backlog(waiting, max(0.0, now - oldest) if oldest else 0.0)
