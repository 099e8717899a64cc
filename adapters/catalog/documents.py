"""Documents and their versions in SQL."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database, elements
from adapters.catalog.holdings import held
from adapters.catalog.likeness import shares
from adapters.catalog.registration import record, same
from adapters.catalog.schema import configurations, documents, jobs, versions, workspaces
from orchestrator.domain.documents import Document, Hold, Reading, Receipt, Stage, Status
from orchestrator.domain.errors import Conflict, Exhausted, NotFound
from orchestrator.domain.identity import Principal
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota
from orchestrator.ports.catalog import EVERYTHING, Arrival, Registered, Wanted, Work

BATCH: Final = 200
_READING: Final = TypeAdapter(Reading)


class SqlDocuments:
    """`orchestrator.ports.catalog.Documents`; workspaces are given by their uid."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, workspace: str, source_ids: Sequence[str]) -> Mapping[str, Document]:
        """Read by the unique pairs of workspace and source id."""
        async with self._database.read() as connection:
            return await _known(connection, workspace, source_ids)

    async def register(
        self, workspace: str, arrivals: Sequence[Arrival], *, quota: Quota = UNLIMITED
    ) -> Sequence[Registered | Conflict | Exhausted]:
        """Read what is known of them, write them, and read them again."""
        names = [one.upload.source_id for one in arrivals]
        async with self._database.write() as connection:
            alive = select(workspaces.c.uid).where(
                workspaces.c.uid == workspace, workspaces.c.deleted_at.is_(None)
            )
            if (await connection.execute(alive)).first() is None:
                raise NotFound("the workspace is gone", code="unknown_workspace")
            before = await _known(connection, workspace, names)
            refused = await record(connection, workspace, arrivals, before, quota)
            after = await _known(connection, workspace, names)
        return [
            refused.get(name) or Registered(after[name], duplicate=same(before.get(name), arrival))
            for name, arrival in zip(names, arrivals, strict=True)
        ]

    async def holding(self, workspace: str) -> Holding:
        """Read the counters."""
        async with self._database.read() as connection:
            return await held(connection, workspace)

    async def get(self, document_id: str) -> Document:
        """Read by id."""
        async with self._database.read() as connection:
            row = (await connection.execute(newest().where(documents.c.id == document_id))).first()
        if row is None:
            raise NotFound(f"there is no document '{document_id}'", code="unknown_document")
        return document(row)

    async def list(
        self,
        workspace: str,
        *,
        principal: Principal,
        after: str | None,
        limit: int,
        wanted: Wanted = EVERYTHING,
    ) -> Sequence[Document]:
        """Page by id; rights apply in the database, filters to batches of what it gives."""
        query = seen_by(principal).where(documents.c.workspace == workspace)
        query = query.order_by(documents.c.id).limit(max(limit, BATCH) if wanted.filters else limit)
        if wanted.status:
            query = query.where(documents.c.status == wanted.status)
        if prefix := wanted.source_prefix:
            query = query.where(func.substr(documents.c.source_id, 1, len(prefix)) == prefix)
        page: list[Document] = []
        async with self._database.read() as connection:
            while len(page) < limit:
                rows = (await connection.execute(query.where(documents.c.id > (after or "")))).all()
                page += [document(row) for row in rows if _fits(row, wanted)]
                if not wanted.filters or len(rows) < BATCH:
                    break
                after = rows[-1].id
        return page[:limit]

    async def outcomes(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """Read what is neither queued nor being processed; deleted is an end, too."""
        ended = documents.c.status.in_([Status.INDEXED, Status.FAILED])
        query = select(documents.c.id, documents.c.error, documents.c.deleted_at).where(
            documents.c.id.in_(ids), ended | documents.c.deleted_at.is_not(None)
        )
        async with self._database.read() as connection:
            return {
                row.id: "it was deleted" if row.deleted_at else row.error
                for row in await connection.execute(query)
            }

    async def work(self, document_id: str, version: int) -> Work | None:
        """Mark the document as being processed, and give what that takes."""
        query = (
            newest(
                versions.c.title.label("given_title"),
                configurations.c.body["generation"].as_integer().label("generation"),
            )
            .join(workspaces, workspaces.c.uid == documents.c.workspace)
            .join(
                configurations,
                (configurations.c.workspace == workspaces.c.uid)
                & (configurations.c.version == workspaces.c.config_version),
            )
            .where(documents.c.id == document_id, documents.c.version == version)
            .where(documents.c.deleted_at.is_(None))
        )
        async with self._database.write() as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                await connection.execute(
                    delete(jobs).where(jobs.c.document_id == document_id, jobs.c.version == version)
                )
                return None
            await connection.execute(
                update(documents)
                .where(documents.c.id == document_id)
                .values(
                    status=Status.PROCESSING, stage=Stage.PARSING, share=0.0, updated_at=time.time()
                )
            )
        return Work(document(row), row.given_title, row.blob_key, row.generation)

    async def reached(self, stage: Stage, ids: Sequence[str]) -> None:
        """Write the stage beside the status, if that is still `processing`."""
        async with self._database.write() as connection:
            await connection.execute(
                update(documents)
                .where(documents.c.id.in_(ids), documents.c.status == Status.PROCESSING)
                .values(stage=stage, share=0.0)
            )

    async def advanced(self, shares: Mapping[str, float]) -> None:
        """Write them beside the stage, if the documents are still `processing`."""
        async with self._database.write() as connection:
            for document_id, share in shares.items():
                await connection.execute(
                    update(documents)
                    .where(documents.c.id == document_id, documents.c.status == Status.PROCESSING)
                    .values(share=share)
                )

    async def waiting(self) -> int:
        """Count the jobs."""
        async with self._database.read() as connection:
            counted = await connection.execute(select(func.count()).select_from(jobs))
            waiting: int = counted.scalar_one()
            return waiting

    async def alike(self, document_id: str, *, principal: Principal, limit: int) -> Sequence[str]:
        """Count common hashes of sketches; rights are applied by the database."""
        async with self._database.read() as connection:
            similar = await shares(connection, document_id)
            seen = await connection.execute(
                seen_by(principal)
                .with_only_columns(documents.c.id)
                .where(documents.c.id.in_(similar))
            )
            visible = set(seen.scalars())
        return [one for one in similar if one in visible][:limit]


def seen_by(principal: Principal) -> Select[Any]:
    """Every live document that the principal may see."""
    group = elements(documents.c.acl).table_valued("value")
    seen = select(1).select_from(group).where(group.c.value.in_(sorted(principal.groups)))
    return newest().where(documents.c.deleted_at.is_(None), seen.exists())


def _fits(row: Row[Any], wanted: Wanted) -> bool:
    return wanted.filters is None or wanted.filters.matches(row.metadata)


def newest(*extra: Any) -> Select[Any]:
    """Every document, joined with its newest version."""
    return shown(documents.c.version, *extra)


def shown(number: Any, *extra: Any) -> Select[Any]:
    """Every document, joined with the version of that number."""
    columns = select(
        documents,
        versions.c.media_type,
        versions.c.size,
        versions.c.content_hash,
        versions.c.blob_key,
        versions.c.queued_at,
        versions.c.indexed_at,
        versions.c.reading,
        *extra,
    )
    return columns.select_from(documents).join(
        versions,
        (versions.c.document_id == documents.c.id) & (versions.c.number == number),
    )


async def _known(
    connection: AsyncConnection, workspace: str, source_ids: Sequence[str]
) -> dict[str, Document]:
    query = newest().where(
        documents.c.workspace == workspace,
        documents.c.source_id.in_(source_ids),
        documents.c.deleted_at.is_(None),
    )
    return {row.source_id: document(row) for row in await connection.execute(query)}


def document(row: Row[Any]) -> Document:
    """A document from its row, joined with its newest version."""
    return Document(
        id=row.id,
        workspace=row.workspace,
        source_id=row.source_id,
        title=row.title,
        media_type=row.media_type,
        size=row.size,
        content_hash=row.content_hash,
        metadata=row.metadata,
        acl=frozenset(row.acl),
        status=Status.DELETED if row.deleted_at else Status(row.status),
        version=row.version,
        chunks=row.chunks,
        revision=row.revision,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
        error=row.error,
        error_code=row.error_code,
        receipt=receipt(row) if row.deleted_at else None,
        stage=_stage(row),
        share=row.share or 0.0,
        queued_at=_time(row.queued_at),
        indexed_at=_time(row.indexed_at),
        reading=_READING.validate_python(row.reading) if row.reading else None,
        hold=Hold(row.hold_reason, datetime.fromtimestamp(row.held_at, UTC))
        if row.held_at
        else None,
    )


def _stage(row: Row[Any]) -> Stage | None:
    match None if row.deleted_at else row.status:
        case Status.QUEUED:
            return Stage.QUEUED
        case Status.PROCESSING:
            return Stage(row.stage or Stage.PARSING)
    return None


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def receipt(row: Row[Any]) -> Receipt:
    """The receipt of a deleted document, from its row."""
    return Receipt(
        document_id=row.id,
        revision=row.deleted_revision,
        deleted_at=datetime.fromtimestamp(row.deleted_at, UTC),
        stores=row.receipt,
    )
