"""Tombstones and erasure in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.documents import receipt
from adapters.catalog.holdings import grow
from adapters.catalog.schema import (
    batch_items,
    batches,
    changes,
    chunks,
    configurations,
    documents,
    holdings,
    jobs,
    replies,
    vectors,
    versions,
    workspaces,
)
from adapters.catalog.workspaces import advance
from orchestrator.domain.documents import Receipt
from orchestrator.domain.errors import NotFound
from orchestrator.domain.quotas import Holding
from orchestrator.ports.catalog import Unpurged

PENDING = "pending: not purged yet"
STORES = ("vectors", "keywords", "blobs", "cache")


class SqlDeletions:
    """`orchestrator.ports.catalog.Deletions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def document(self, document_id: str) -> Receipt:
        """Tombstone, and erasure of chunks and of vectors that nothing else uses, as one write."""
        async with self._database.write() as connection:
            query = select(documents).where(documents.c.id == document_id)
            row = (await connection.execute(query)).first()
            if row is None:
                raise NotFound(f"there is no document '{document_id}'", code="unknown_document")
            if row.deleted_at is not None:
                return receipt(row)
            revision = await advance(connection, row.workspace, "deleted", document_id)
            size = select(versions.c.size).where(
                versions.c.document_id == document_id, versions.c.number == row.version
            )
            freed = (await connection.execute(size)).scalar_one()
            await grow(connection, row.workspace, Holding(-1, -freed))
            await connection.execute(
                update(replies).where(replies.c.about == document_id).values(body=None)
            )
            stores = {"catalog": "purged"} | dict.fromkeys(STORES, PENDING)
            await connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(
                    deleted_at=time.time(),
                    deleted_revision=revision,
                    receipt=stores,
                    title="",
                    metadata={},
                    error=None,
                    chunks=0,
                )
            )
            await connection.execute(
                update(versions).where(versions.c.document_id == document_id).values(title="")
            )
            await connection.execute(delete(jobs).where(jobs.c.document_id == document_id))
            await erase_chunks(connection, chunks.c.document_id == document_id)
            return receipt((await connection.execute(query)).one())

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
            await connection.execute(
                update(documents)
                .where(documents.c.workspace == uid, documents.c.deleted_at.is_(None))
                .values(deleted_at=time.time(), deleted_revision=row.revision, receipt={})
            )
            await connection.execute(delete(jobs).where(jobs.c.workspace == uid))
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
                documents,
                changes,
                configurations,
                holdings,
                batches,
                replies,
            ):
                await connection.execute(delete(table).where(table.c.workspace == uid))
            await connection.execute(delete(workspaces).where(workspaces.c.uid == uid))
        await self._database.checkpoint()

    async def unpurged(self) -> Unpurged:
        """Look for tombstones whose receipts have pending stores."""
        waiting = documents.c.deleted_at.is_not(None) & or_(
            *(documents.c.receipt[store].as_string() != "purged" for store in STORES)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(select(documents).where(waiting))
            gone = await connection.execute(
                select(workspaces.c.uid).where(workspaces.c.deleted_at.is_not(None))
            )
            return Unpurged([(row.workspace, receipt(row)) for row in rows], list(gone.scalars()))


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
