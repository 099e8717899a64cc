"""Sessions in SQL."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.documents import seen_by
from adapters.catalog.schema import documents, exchange_documents, exchanges, sessions
from adapters.catalog.workspaces import current
from orchestrator.domain.identity import Principal
from orchestrator.domain.sessions import Cited, Exchange, Session, new_session_id, unknown_session

BATCH: Final = 500


class SqlSessions:
    """`orchestrator.ports.catalog.Sessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, workspace: str, subject: str, *, title: str | None) -> Session:
        """Insert it, if the workspace lives."""
        now = time.time()
        row = {
            "id": new_session_id(),
            "workspace": workspace,
            "subject": subject,
            "title": title,
            "created_at": now,
            "used_at": now,
        }
        async with self._database.write() as connection:
            await current(connection, workspace)
            made = await connection.execute(insert(sessions).values(row).returning(sessions))
            return _session(made.one())

    async def get(self, session_id: str, *, subject: str) -> Session:
        """Read the row."""
        query = select(sessions).where(sessions.c.id == session_id, sessions.c.subject == subject)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise unknown_session(session_id)
        return _session(row)

    async def list(
        self, workspace: str, *, subject: str, after: str | None, limit: int
    ) -> Sequence[Session]:
        """By id, which begins with the time."""
        query = (
            select(sessions)
            .where(sessions.c.workspace == workspace, sessions.c.subject == subject)
            .order_by(sessions.c.id.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(sessions.c.id < after)
        async with self._database.read() as connection:
            return [_session(row) for row in await connection.execute(query)]

    async def exchanges(
        self, session_id: str, *, principal: Principal, before: int | None, limit: int
    ) -> Sequence[Exchange]:
        """Read them and their documents, and which of those the principal sees."""
        query = (
            select(exchanges)
            .join(sessions, sessions.c.id == exchanges.c.session)
            .where(sessions.c.id == session_id, sessions.c.subject == principal.subject)
            .order_by(exchanges.c.number.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(exchanges.c.number < before)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()[::-1]
            if not rows:
                return []
            drawn = await _documents(connection, session_id, rows[0].number, rows[-1].number)
            seen = await _seen(connection, frozenset().union(*drawn.values()), principal)
        return [_exchange(row, drawn.get(row.number, frozenset()), seen) for row in rows]

    async def append(self, session_id: str, exchange: Exchange) -> None:
        """Number it and insert it; a deletion is before this transaction, or finds it."""
        drawn = sorted(exchange.documents)
        async with self._database.write() as connection:
            moved = await connection.execute(
                update(sessions)
                .where(sessions.c.id == session_id)
                .values(used_at=time.time())
                .returning(sessions.c.workspace)
            )
            workspace = moved.scalar_one_or_none()
            if workspace is None:
                raise unknown_session(session_id)
            last = select(func.coalesce(func.max(exchanges.c.number), 0)).where(
                exchanges.c.session == session_id
            )
            number = (await connection.execute(last)).scalar_one() + 1
            whole = len(await _live(connection, drawn)) == len(drawn)
            await connection.execute(
                insert(exchanges).values(
                    session=session_id,
                    number=number,
                    workspace=workspace,
                    question=exchange.question,
                    answer=exchange.answer if whole else None,
                    answerable=exchange.answerable,
                    sources=[asdict(one) for one in exchange.sources],
                    at=time.time(),
                )
            )
            key = {"session": session_id, "number": number, "workspace": workspace}
            if drawn:
                rows = [{**key, "document_id": one} for one in drawn]
                await connection.execute(insert(exchange_documents), rows)

    async def delete(self, session_id: str, *, subject: str) -> None:
        """Erase the rows, from the file too."""
        async with self._database.write() as connection:
            mine = (sessions.c.id == session_id) & (sessions.c.subject == subject)
            if not await _erase(connection, mine):
                raise unknown_session(session_id)
        await self._database.checkpoint()

    async def forget(self, before: datetime) -> int:
        """Look first whether there are any: mostly there are none."""
        old = sessions.c.used_at < before.timestamp()
        async with self._database.read() as connection:
            if not (await connection.execute(select(sessions.c.id).where(old).limit(1))).first():
                return 0
        async with self._database.write() as connection:
            count = await _erase(connection, old)
        await self._database.checkpoint()
        return count


async def forget_document(connection: AsyncConnection, document_id: str) -> None:
    """Erase every answer that may hold text of the document; the questions stay."""
    drawn = select(exchange_documents.c.session, exchange_documents.c.number).where(
        exchange_documents.c.document_id == document_id
    )
    await connection.execute(
        update(exchanges)
        .where(tuple_(exchanges.c.session, exchanges.c.number).in_(drawn))
        .values(answer=None)
    )


async def _erase(connection: AsyncConnection, which: Any) -> int:
    gone = select(sessions.c.id).where(which)
    for table in (exchange_documents, exchanges):
        await connection.execute(delete(table).where(table.c.session.in_(gone)))
    erased = await connection.execute(delete(sessions).where(which))
    return erased.rowcount


async def _documents(
    connection: AsyncConnection, session_id: str, first: int, last: int
) -> dict[int, frozenset[str]]:
    """The documents of each exchange, by its number."""
    query = select(exchange_documents.c.number, exchange_documents.c.document_id).where(
        exchange_documents.c.session == session_id,
        exchange_documents.c.number.between(first, last),
    )
    found: dict[int, set[str]] = defaultdict(set)
    for number, document_id in await connection.execute(query):
        found[number].add(document_id)
    return {number: frozenset(ids) for number, ids in found.items()}


async def _seen(
    connection: AsyncConnection, ids: frozenset[str], principal: Principal
) -> frozenset[str]:
    wanted, seen = sorted(ids), set[str]()
    for start in range(0, len(wanted), BATCH):
        query = seen_by(principal).where(documents.c.id.in_(wanted[start : start + BATCH]))
        rows = await connection.execute(query.with_only_columns(documents.c.id))
        seen.update(rows.scalars())
    return frozenset(seen)


async def _live(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[str]:
    live: list[str] = []
    for start in range(0, len(ids), BATCH):
        query = select(documents.c.id).where(
            documents.c.id.in_(ids[start : start + BATCH]), documents.c.deleted_at.is_(None)
        )
        live += (await connection.execute(query)).scalars()
    return live


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        workspace=row.workspace,
        subject=row.subject,
        title=row.title,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        used_at=datetime.fromtimestamp(row.used_at, UTC),
    )


def _exchange(row: Row[Any], drawn: frozenset[str], seen: frozenset[str]) -> Exchange:
    sources = tuple(Cited(**one) for one in row.sources)
    return Exchange(
        question=row.question,
        answer=row.answer if drawn <= seen else None,
        answerable=row.answerable,
        sources=sources,
        heard=drawn - {one.doc_id for one in sources},
        number=row.number,
        at=datetime.fromtimestamp(row.at, UTC),
    )
