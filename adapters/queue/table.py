"""The jobs in the catalog's own database: durable with the upload that caused them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from adapters.catalog.database import Database
from adapters.catalog.schema import documents, jobs, versions
from orchestrator.domain.documents import Status
from orchestrator.ports.queue import GAVE_UP, Backlog, DeadLetter, Job

SUSPECT: Final = 2
"""So many attempts without an end, and a job is worked on alone."""


class JobTable:
    """What every queue does in SQL; how workers find their jobs, each does in its own way."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def postpone(self, job: Job, *, seconds: float, tried: bool = True) -> None:
        """Drop the claim, and say from when on there may be another."""
        async with self._database.write() as connection:
            await connection.execute(
                update(jobs)
                .where(_same(job))
                .values(
                    claimed_by=None,
                    claimed_until=None,
                    attempts=job.attempts if tried else job.attempts - 1,
                    due_at=time.time() + seconds,
                )
            )

    async def fail(self, job: Job, reason: str, code: str) -> None:
        """Drop the job and mark its document, unless another has the job, or it a newer version."""
        async with self._database.write() as connection:
            dropped = await connection.execute(delete(jobs).where(_same(job)))
            if not dropped.rowcount:
                return
            await connection.execute(
                update(documents)
                .where(documents.c.id == job.document_id, documents.c.version == job.version)
                .where(documents.c.deleted_at.is_(None))
                .values(status=Status.FAILED, error=reason, error_code=code, updated_at=time.time())
            )
            await connection.execute(
                update(versions)
                .where(versions.c.document_id == job.document_id)
                .where(versions.c.number == job.version)
                .values(status=Status.FAILED)
            )

    async def bury(self, job: Job, reason: str) -> None:
        """Mark its document as one that was given up."""
        await self.fail(job, reason, GAVE_UP)

    async def dead(self) -> Sequence[DeadLetter]:
        """The documents so marked."""
        query = (
            select(documents.c.id, documents.c.error, documents.c.updated_at)
            .where(documents.c.status == Status.FAILED, documents.c.error_code == GAVE_UP)
            .where(documents.c.deleted_at.is_(None))
            .order_by(documents.c.updated_at)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            DeadLetter(row.id, row.id, row.error, datetime.fromtimestamp(row.updated_at, UTC))
            for row in rows
        ]

    async def discard(self, letter: DeadLetter) -> None:
        """Take the mark off its document, if it is still there."""
        async with self._database.write() as connection:
            await connection.execute(
                update(documents)
                .where(documents.c.id == letter.document_id, documents.c.error_code == GAVE_UP)
                .values(error_code=None)
            )

    async def backlog(self) -> Backlog:
        """Count the rows that no claim covers."""
        now = time.time()
        query = select(func.count(), func.min(jobs.c.created_at)).where(_unclaimed(now))
        async with self._database.read() as connection:
            waiting, oldest = (await connection.execute(query)).one()
        return Backlog(waiting, max(0.0, now - oldest) if oldest else 0.0)

    async def _take(
        self, worker: str, which: ColumnElement[bool], *, limit: int, seconds: float
    ) -> Sequence[Job]:
        """Claim those that are free; reads first, so that an idle poll never writes.

        A job that was tried before may be what ends workers: it comes alone, and takes no other
        down with it.
        """
        now = time.time()
        wanted = select(jobs.c.id).where(which, free(now)).order_by(jobs.c.id)
        first = wanted.add_columns(jobs.c.attempts).limit(1)
        async with self._database.read() as connection:
            oldest = (await connection.execute(first)).first()
        if oldest is None:
            return []
        suspect = oldest.attempts >= SUSPECT
        batch = wanted.limit(1) if suspect else wanted.where(jobs.c.attempts < SUSPECT).limit(limit)
        async with self._database.write() as connection:
            claimed = await connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(batch))
                .values(
                    claimed_by=worker,
                    claimed_until=now + seconds,
                    attempts=jobs.c.attempts + 1,
                    sent_at=None,
                )
                .returning(
                    jobs.c.id, jobs.c.workspace, jobs.c.document_id, jobs.c.version, jobs.c.attempts
                )
            )
            return sorted((Job(*row) for row in claimed), key=lambda job: job.id)


def free(now: float) -> ColumnElement[bool]:
    """A job that may be taken."""
    return _unclaimed(now) & (jobs.c.due_at <= now)


def _unclaimed(now: float) -> ColumnElement[bool]:
    return or_(jobs.c.claimed_until.is_(None), jobs.c.claimed_until < now)


def _same(job: Job) -> ColumnElement[bool]:
    """The job as it was claimed: with every claim after it, the attempts grow."""
    return (jobs.c.id == job.id) & (jobs.c.attempts == job.attempts)
