"""The history of documents in SQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, select, update

from adapters.catalog.database import Database
from adapters.catalog.documents import document, newest
from adapters.catalog.registration import enqueue
from adapters.catalog.schema import documents, versions
from orchestrator.domain.documents import Document, Status, Version
from orchestrator.domain.errors import NotFound

WAITING = (Status.QUEUED, Status.PROCESSING)


class SqlVersions:
    """`orchestrator.ports.catalog.Versions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, document_id: str, *, before: int | None, limit: int) -> Sequence[Version]:
        """Page by number, downwards."""
        query = _of(document_id).order_by(versions.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(versions.c.number < before)
        async with self._database.read() as connection:
            return [_version(row) for row in await connection.execute(query)]

    async def get(self, document_id: str, number: int) -> Version:
        """Read by the key."""
        query = _of(document_id).where(versions.c.number == number)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound(
                f"document '{document_id}' has no version {number}", code="unknown_version"
            )
        return _version(row)

    async def requeue(self, document_id: str) -> Document:
        """Insert a job like an upload's; the status it had ends with it."""
        live = newest().where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
        async with self._database.write() as connection:
            row = (await connection.execute(live)).first()
            if row is None:
                raise NotFound(f"there is no document '{document_id}'", code="unknown_document")
            if row.status in WAITING:
                return document(row)
            now = time.time()
            await connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(status=Status.QUEUED, error=None, error_code=None, updated_at=now)
            )
            await connection.execute(
                update(versions)
                .where(versions.c.document_id == document_id, versions.c.number == row.version)
                .values(queued_at=now)
            )
            await enqueue(connection, row.workspace, document_id, row.version, now)
            return document((await connection.execute(live)).one())


def _of(document_id: str) -> Select[Any]:
    return (
        select(
            versions,
            documents.c.version.label("newest"),
            documents.c.status.label("document_status"),
        )
        .join(documents, documents.c.id == versions.c.document_id)
        .where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
    )


def _version(row: Row[Any]) -> Version:
    status = row.document_status if row.number == row.newest else row.status
    return Version(
        document_id=row.document_id,
        number=row.number,
        title=row.title,
        media_type=row.media_type,
        size=row.size,
        content_hash=row.content_hash,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        status=Status(status) if status else None,
        chunks=row.chunks,
        blob_key=row.blob_key,
    )
