"""Tombstones and erasure in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, exists, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.documents import document, newest, receipt
from adapters.catalog.holdings import grow
from adapters.catalog.schema import (
    batch_items,
    batches,
    changes,
    chunks,
    configurations,
    documents,
    exchange_documents,
    exchanges,
    holdings,
    jobs,
    reindexings,
    replies,
    search_counts,
    sessions,
    sketches,
    vectors,
    versions,
    workspaces,
)
from adapters.catalog.sessions import forget_document
from adapters.catalog.workspaces import advance
from orchestrator.domain.documents import Document, Receipt
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.quotas import Holding
from orchestrator.ports.catalog import Unpurged, Withdrawn

PENDING = "pending: not purged yet"
STORES = ("vectors", "keywords", "blobs", "cache")
_SAID = (exchange_documents, exchanges, sessions)


class SqlDeletions:
    """`orchestrator.ports.catalog.Deletions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def document(self, document_id: str) -> Receipt:
        """Look it up, and put up its tombstone unless it is held."""
        async with self._database.write() as connection:
            row = await _row(connection, document_id)
            if row is None:
                raise _unknown(document_id)
            if row.hold_reason is not None:
                raise Conflict(
                    f"the document is under legal hold: {row.hold_reason}", code="legal_hold"
                )
            return await _withdraw(connection, row)

    async def documents(self, ids: Sequence[str]) -> Withdrawn:
        """One after another, in one transaction."""
        receipts, held = [], {}
        async with self._database.write() as connection:
            for document_id in ids:
                row = await _row(connection, document_id)
                if row is not None and row.hold_reason is not None:
                    held[document_id] = row.hold_reason
                elif row is not None:
                    receipts.append(await _withdraw(connection, row))
        return Withdrawn(receipts, held)

    async def hold(self, document_id: str, reason: str | None) -> Document:
        """Write the reason and the time, or neither; a hold that lasts keeps its beginning."""
        since = None if reason is None else func.coalesce(documents.c.held_at, time.time())
        live = (documents.c.id == document_id) & documents.c.deleted_at.is_(None)
        async with self._database.write() as connection:
            await connection.execute(
                update(documents).where(live).values(hold_reason=reason, held_at=since)
            )
            row = (await connection.execute(newest().where(live))).first()
        if row is None:
            raise _unknown(document_id)
        return document(row)

    async def workspace(self, name: str) -> str:
        """One tombstone for all that is in it; the rows go when `erase` is called."""
        async with self._database.write() as connection:
            removed = await connection.execute(
                update(workspaces)
                .where(workspaces.c.name == name, workspaces.c.deleted_at.is_(None))
                .values(deleted_at=time.time())
                .returning(workspaces.c.uid, workspaces.c.revision)
            )
            row = removed.first()
            if row is None:
                raise NotFound(f"there is no workspace '{name}'", code="unknown_workspace")
            uid: str = row.uid
            await _require_no_hold(connection, name, uid)
            await connection.execute(
                update(documents)
                .where(documents.c.workspace == uid, documents.c.deleted_at.is_(None))
                .values(deleted_at=time.time(), deleted_revision=row.revision, receipt={})
            )
            for table in (jobs, *_SAID):
                await connection.execute(delete(table).where(table.c.workspace == uid))
            return uid

    async def record(self, document_id: str, stores: Mapping[str, str]) -> Receipt:
        """Merge states into the stored receipt."""
        async with self._database.write() as connection:
            query = select(documents).where(documents.c.id == document_id)
            row = (await connection.execute(query)).first()
            if row is None or row.deleted_at is None:
                raise NotFound(f"no document '{document_id}' was deleted", code="unknown_document")
            await connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(receipt={**row.receipt, **stores})
            )
            written = receipt((await connection.execute(query)).one())
        await self._database.checkpoint()
        return written

    async def erase(self, uid: str) -> None:
        """Delete every row of a workspace."""
        mine = select(documents.c.id).where(documents.c.workspace == uid)
        named = select(batches.c.id).where(batches.c.workspace == uid)
        async with self._database.write() as connection:
            await erase_chunks(connection, chunks.c.workspace == uid)
            await connection.execute(delete(versions).where(versions.c.document_id.in_(mine)))
            await connection.execute(delete(batch_items).where(batch_items.c.batch_id.in_(named)))
            for table in (
                jobs,
                sketches,
                documents,
                changes,
                configurations,
                holdings,
                batches,
                replies,
                reindexings,
                search_counts,
                *_SAID,
            ):
                await connection.execute(delete(table).where(table.c.workspace == uid))
            await connection.execute(delete(workspaces).where(workspaces.c.uid == uid))
        await self._database.checkpoint()

    async def unpurged(self) -> Unpurged:
        """Look for tombstones whose receipts have pending stores."""
        await self._database.overdue()
        waiting = documents.c.deleted_at.is_not(None) & or_(
            *(documents.c.receipt[store].as_string() != "purged" for store in STORES)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(select(documents).where(waiting))
            gone = await connection.execute(
                select(workspaces.c.uid).where(workspaces.c.deleted_at.is_not(None))
            )
            return Unpurged([(row.workspace, receipt(row)) for row in rows], list(gone.scalars()))


async def _row(connection: AsyncConnection, document_id: str) -> Row[Any] | None:
    return (
        await connection.execute(select(documents).where(documents.c.id == document_id))
    ).first()


def _unknown(document_id: str) -> NotFound:
    return NotFound(f"there is no document '{document_id}'", code="unknown_document")


async def _require_no_hold(connection: AsyncConnection, name: str, uid: str) -> None:
    held = (
        await connection.execute(
            select(documents.c.hold_reason, func.count().over().label("many"))
            .where(documents.c.workspace == uid, documents.c.deleted_at.is_(None))
            .where(documents.c.hold_reason.is_not(None))
            .limit(1)
        )
    ).first()
    if held:
        raise Conflict(
            f"workspace '{name}' holds {held.many} document(s) under legal hold, one of them "
            f"for this reason: {held.hold_reason}",
            code="legal_hold",
        )


async def _withdraw(connection: AsyncConnection, row: Row[Any]) -> Receipt:
    """Tombstone, and erasure of chunks and of vectors that nothing else uses."""
    if row.deleted_at is not None:
        return receipt(row)
    revision = await advance(connection, row.workspace, "deleted", row.id)
    await grow(connection, row.workspace, Holding(-1, -await _size(connection, row)))
    await connection.execute(update(replies).where(replies.c.about == row.id).values(body=None))
    await forget_document(connection, row.id)
    await connection.execute(
        update(documents)
        .where(documents.c.id == row.id)
        .values(
            deleted_at=time.time(),
            deleted_revision=revision,
            receipt={"catalog": "purged"} | dict.fromkeys(STORES, PENDING),
            title="",
            metadata={},
            error=None,
            error_code=None,
            chunks=0,
        )
    )
    await connection.execute(
        update(versions).where(versions.c.document_id == row.id).values(title="", reading=null())
    )
    for table in (jobs, sketches):
        await connection.execute(delete(table).where(table.c.document_id == row.id))
    await erase_chunks(connection, chunks.c.document_id == row.id)
    gone = await _row(connection, row.id)
    assert gone is not None
    return receipt(gone)


async def _size(connection: AsyncConnection, row: Row[Any]) -> int:
    query = select(versions.c.size).where(
        versions.c.document_id == row.id, versions.c.number == row.version
    )
    size: int = (await connection.execute(query)).scalar_one()
    return size


async def erase_chunks(connection: AsyncConnection, which: Any) -> int:
    """Delete chunks, and the vectors whose text no other chunk has; how many chunks."""
    gone = await connection.execute(delete(chunks).where(which).returning(chunks.c.text_hash))
    hashes = [row.text_hash for row in gone]
    for start in range(0, len(hashes), 500):
        await connection.execute(
            delete(vectors).where(
                vectors.c.text_hash.in_(hashes[start : start + 500]),
                ~exists().where(chunks.c.text_hash == vectors.c.text_hash),
            )
        )
    return len(hashes)
