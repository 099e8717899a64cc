"""The queue handed out by Kafka: the catalog's table is the truth, and an outbox.

A message only names a job; whoever receives it claims the job in the table. So a message that is
lost, comes twice, or tells of what is done already, does no harm: a job that nobody took is taken
without it after a while, and one that is held or gone is passed over.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, select, tuple_, update

from adapters.catalog.database import Database
from adapters.catalog.schema import documents, jobs
from adapters.queue.broker import Broker
from adapters.queue.table import JobTable, free
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.queue import GAVE_UP, DeadLetter, Job

SENT_AT_ONCE: Final = 500
STALE_S: Final = 30.0
"""A job whose message nobody took for so long is taken without: it may be lost, or wait behind
others at a worker that is busy."""
ASKED_AT_ONCE: Final = 500
SHOWN_BYTES: Final = 1000
_ID: Final = re.compile(r"[0-9a-f]{32}")
_MOST: Final = 2**63

_Key = tuple[int, str]
"""A job's id, and its document's: ids alone could be of another catalog."""


class KafkaQueue(JobTable):
    """`orchestrator.ports.queue.Queue`."""

    def __init__(self, database: Database, broker: Broker) -> None:
        super().__init__(database)
        self._broker = broker
        self._claiming = asyncio.Lock()
        self._received: list[_Key] = []

    async def ping(self) -> None:
        """Ask the brokers for their topics."""
        await self._broker.ping()

    async def dispatch(self) -> int:
        """Send what is free and not on its way."""
        found = await self._unsent()
        if not found:
            return 0
        try:
            await self._broker.send([(key[1].encode(), _message(key)) for key in found])
        except Unavailable:
            await self._mark(found, None)
            raise
        return len(found)

    async def claim(self, worker: str, *, limit: int, seconds: float) -> Sequence[Job]:
        """Receive messages, and claim in the table what they name; or what has waited too long."""
        async with self._claiming:
            while True:
                self._received = self._received or await self._receive(limit)
                if not self._received:
                    stale = jobs.c.sent_at < time.time() - STALE_S
                    return await self._take(worker, stale, limit=limit, seconds=seconds)
                taken = await self._named(worker, self._received, seconds)
                self._received = []
                await self._broker.commit()
                if taken:
                    return taken

    async def bury(self, job: Job, reason: str) -> None:
        """Send it to the dead letters, too."""
        await self._bury(job.document_id, reason, document_id=job.document_id)
        await super().bury(job, reason)

    async def dead(self) -> Sequence[DeadLetter]:
        """The last letter of each key, but for documents that have come to another end since."""
        buried = await self._broker.buried()
        letters = [_letter(key, value) for key, value in buried.items()]
        ids = [one.document_id for one in letters if one.document_id]
        still: set[str] = set()
        for start in range(0, len(ids), ASKED_AT_ONCE):
            given_up = select(documents.c.id).where(
                documents.c.id.in_(ids[start : start + ASKED_AT_ONCE]),
                documents.c.status == Status.FAILED,
                documents.c.error_code == GAVE_UP,
                documents.c.deleted_at.is_(None),
            )
            async with self._database.read() as connection:
                still.update((await connection.execute(given_up)).scalars())
        found = [one for one in letters if one.document_id is None or one.document_id in still]
        return sorted(found, key=lambda one: one.at)

    async def discard(self, letter: DeadLetter) -> None:
        """Write nothing over it: then the topic, once compacted, forgets the key."""
        await super().discard(letter)
        await self._broker.bury(letter.id.encode(), None)

    async def _named(self, worker: str, keys: Sequence[_Key], seconds: float) -> Sequence[Job]:
        """Claim those of the jobs that are free; what is left of them will be sent again."""
        taken = await self._take(worker, _among(keys), limit=len(keys), seconds=seconds)
        if len(taken) < len(keys):
            await self._mark(keys, None)
        return taken

    async def _unsent(self) -> Sequence[_Key]:
        now = time.time()
        waiting = free(now) & jobs.c.sent_at.is_(None)
        oldest = select(jobs.c.id).where(waiting).order_by(jobs.c.id).limit(SENT_AT_ONCE)
        async with self._database.read() as connection:
            if (await connection.execute(oldest.limit(1))).first() is None:
                return []
        async with self._database.write() as connection:
            marked = await connection.execute(
                update(jobs)
                .where(jobs.c.id.in_(oldest))
                .values(sent_at=now)
                .returning(jobs.c.id, jobs.c.document_id)
            )
            return sorted((row.id, row.document_id) for row in marked)

    async def _mark(self, keys: Sequence[_Key], sent_at: float | None) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(jobs).where(_among(keys)).values(sent_at=sent_at))

    async def _receive(self, limit: int) -> list[_Key]:
        found = []
        for message in await self._broker.receive(limit):
            key = _named(message.value)
            if key is None:
                shown = base64.b64encode(message.value[:SHOWN_BYTES]).decode()
                await self._bury(message.place, "the message names no job", message=shown)
            else:
                found.append(key)
        return found

    async def _bury(self, key: str, reason: str, **further: str) -> None:
        letter = {"reason": reason, "at": time.time(), **further}
        await self._broker.bury(key.encode(), json.dumps(letter).encode())


def _among(keys: Sequence[_Key]) -> ColumnElement[bool]:
    return tuple_(jobs.c.id, jobs.c.document_id).in_(keys)


def _message(key: _Key) -> bytes:
    return json.dumps({"job": key[0], "document_id": key[1]}).encode()


def _named(message: bytes) -> _Key | None:
    """The job that a message names, whoever wrote it."""
    try:
        told = json.loads(message)
        job, document_id = told["job"], told["document_id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    known = isinstance(job, int) and 0 < job < _MOST and isinstance(document_id, str)
    return (job, document_id) if known and _ID.fullmatch(document_id) else None


def _letter(key: bytes, value: bytes) -> DeadLetter:
    """A dead letter; of one that is none, its bytes are the reason."""
    name = key.decode(errors="replace")
    try:
        told: Mapping[str, Any] = json.loads(value)
        at = datetime.fromtimestamp(told["at"], UTC)
        return DeadLetter(name, told.get("document_id"), str(told["reason"]), at)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        shown = value[:SHOWN_BYTES].decode(errors="replace")
        return DeadLetter(name, None, f"not readable: {shown}", datetime.fromtimestamp(0, UTC))
