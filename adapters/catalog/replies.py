"""Answers to requests that may be repeated, in SQL."""

from __future__ import annotations

import time
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from adapters.catalog.database import Database
from adapters.catalog.schema import replies
from orchestrator.domain.errors import Conflict, Rejected
from orchestrator.ports.catalog import Reply

KEPT_S: Final = 86_400.0


class SqlReplies:
    """`orchestrator.ports.catalog.Replies`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, subject: str, key: str, fingerprint: str, *, workspace: str, seconds: float
    ) -> Reply | None:
        """Drop what is older than a day, then look, then claim: one write."""
        now = time.time()
        async with self._database.write() as connection:
            await connection.execute(delete(replies).where(replies.c.created_at < now - KEPT_S))
            row = (await connection.execute(select(replies).where(_is(subject, key)))).first()
            if row is not None:
                if reply := _known(row, fingerprint, now):
                    return reply
                await connection.execute(delete(replies).where(_is(subject, key)))
            await connection.execute(
                insert(replies).values(
                    subject=subject,
                    key=key,
                    fingerprint=fingerprint,
                    workspace=workspace,
                    claimed_until=now + seconds,
                    created_at=now,
                )
            )
        return None

    async def finish(self, subject: str, key: str, reply: Reply) -> None:
        """Fill the row."""
        async with self._database.write() as connection:
            await connection.execute(
                update(replies)
                .where(_is(subject, key))
                .values(location=reply.location, body=reply.body, about=reply.about)
            )

    async def forget(self, subject: str, key: str) -> None:
        """Delete the row, if it was not filled."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(replies).where(_is(subject, key), replies.c.location.is_(None))
            )


def _is(subject: str, key: str) -> Any:
    return (replies.c.subject == subject) & (replies.c.key == key)


def _known(row: Row[Any], fingerprint: str, now: float) -> Reply | None:
    if row.fingerprint != fingerprint:
        raise Rejected(
            "this Idempotency-Key came with another request: use a new one",
            code="idempotency_conflict",
            field="Idempotency-Key",
        )
    if row.location is not None:
        return Reply(row.location, row.body, row.about)
    if row.claimed_until > now:
        raise Conflict(
            "the same request is being worked on",
            code="idempotency_in_progress",
            field="Idempotency-Key",
            retry_after=1.0,
        )
    return None
