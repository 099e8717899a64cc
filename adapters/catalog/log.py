"""The change log in SQL: publication moves the revision, projections read what moved."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database, gathered, ids_of
from adapters.catalog.deletions import erase_chunks
from adapters.catalog.likeness import keep_sketch
from adapters.catalog.schema import (
    changes,
    chunks,
    documents,
    jobs,
    reindexings,
    vectors,
    versions,
    workspaces,
)
from adapters.catalog.workspaces import advance, current
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.ports.catalog import Delta, Edition, Publication, Rights, Run

ORPHANS_S: Final = 600.0
"""So often vectors are looked for that no chunk has: an ingestion that was broken off left them."""


class SqlLog:
    """`orchestrator.ports.catalog.Log`; workspaces are given by their uid."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._orphans_at = -math.inf

    async def publish(self, publications: Sequence[Publication]) -> None:
        """One transaction for the batch, one revision for each document."""
        async with self._database.write() as connection:
            for publication in publications:
                await _publish(connection, publication)

    async def since(self, workspace: str, revision: int) -> Delta:
        """Read the head, the rows and the rights from one snapshot."""
        head = select(workspaces.c.revision).where(
            workspaces.c.uid == workspace, workspaces.c.deleted_at.is_(None)
        )
        async with self._database.read() as connection:
            now = (await connection.execute(head)).scalar_one_or_none()
            if now is None:
                raise NotFound("the workspace is gone", code="unknown_workspace")
            if now == revision:
                return Delta(now)
            rows = await connection.execute(_rows(workspace, revision))
            rights = await connection.execute(_rights(workspace, revision))
            return Delta(
                now,
                [
                    Run(row.document_id, row.generation, row.added, row.removed, ids_of(row.ids))
                    for row in rows
                ],
                [
                    Rights(row.id, frozenset(row.acl), row.metadata, row.deleted_at is not None)
                    for row in rights
                ],
            )

    async def sweep(self, *, seconds: float) -> int:
        """Erase superseded chunks; and orphaned vectors, while nobody is about to publish."""
        old = chunks.c.removed_at < time.time() - seconds
        orphaned = ~exists().where(chunks.c.text_hash == vectors.c.text_hash)
        async with self._database.read() as connection:
            due = (await connection.execute(select(chunks.c.id).where(old).limit(1))).first()
            busy = await _publishing(connection)
            lost = not busy and await self._lost(connection, orphaned)
        if not due and not lost:
            return 0
        async with self._database.write() as connection:
            erased = await erase_chunks(connection, old)
            if lost and not await _publishing(connection):
                await connection.execute(delete(vectors).where(orphaned))
            return erased

    async def _lost(self, connection: AsyncConnection, orphaned: ColumnElement[bool]) -> bool:
        """Whether there is an orphaned vector; all are read for that, so it is asked seldom."""
        if time.monotonic() < self._orphans_at:
            return False
        self._orphans_at = time.monotonic() + ORPHANS_S
        found = await connection.execute(select(vectors.c.id).where(orphaned).limit(1))
        return found.first() is not None


async def _publishing(connection: AsyncConnection) -> bool:
    """Whether anybody may be about to publish chunks whose vectors are kept already."""
    working = reindexings.c.claimed_until > time.time()
    for query in (select(jobs.c.id), select(reindexings.c.id).where(working)):
        if (await connection.execute(query.limit(1))).first():
            return True
    return False


def _rows(workspace: str, revision: int) -> Any:
    """One row for the chunks that a document's version came, and went, with."""
    run = chunks.c.document_id, chunks.c.generation, chunks.c.added, chunks.c.removed
    query = (
        select(*run, gathered(chunks.c.id).label("ids"))
        .where(chunks.c.workspace == workspace)
        .group_by(*run)
    )
    if revision == 0:
        return query
    return query.where(chunks.c.document_id.in_(_touched(workspace, revision)))


def _rights(workspace: str, revision: int) -> Any:
    query = select(
        documents.c.id, documents.c.acl, documents.c.metadata, documents.c.deleted_at
    ).where(documents.c.workspace == workspace)
    if revision == 0:
        return query.where(documents.c.deleted_at.is_(None))
    return query.where(documents.c.id.in_(_touched(workspace, revision)))


def _touched(workspace: str, revision: int) -> Any:
    return select(changes.c.document_id).where(
        changes.c.workspace == workspace, changes.c.revision > revision
    )


async def _publish(connection: AsyncConnection, publication: Publication) -> None:
    done = await connection.execute(delete(jobs).where(jobs.c.id == publication.job_id))
    if not done.rowcount:  # another worker did it, whose claim came after this one's ended
        return
    workspace = await _workspace_of(connection, publication)
    if workspace is None:
        return
    await require_vectors(connection, publication)
    await _require_generation(connection, workspace, publication)
    now = time.time()
    revision = await advance(connection, workspace, "published", publication.document_id)
    await connection.execute(
        update(chunks)
        .where(
            chunks.c.document_id == publication.document_id,
            chunks.c.generation == publication.generation,
            chunks.c.removed.is_(None),
        )
        .values(removed=revision, removed_at=now)
    )
    if publication.pieces:
        await connection.execute(insert(chunks), rows_of(workspace, publication, revision))
    await connection.execute(
        update(documents)
        .where(documents.c.id == publication.document_id)
        .values(
            status=Status.INDEXED,
            error=None,
            error_code=None,
            title=publication.title,
            chunks=len(publication.pieces),
            revision=revision,
            updated_at=now,
        )
    )
    await _record(connection, publication, now)
    await keep_sketch(connection, workspace, publication.document_id, publication.sketch)


async def _workspace_of(connection: AsyncConnection, publication: Publication) -> str | None:
    """Its workspace; None where the document was deleted, or has a newer version."""
    current = select(documents.c.workspace).where(
        documents.c.id == publication.document_id,
        documents.c.version == publication.version,
        documents.c.deleted_at.is_(None),
    )
    return (await connection.execute(current)).scalar_one_or_none()


async def _require_generation(
    connection: AsyncConnection, workspace: str, publication: Publication
) -> None:
    """What was made before a switch must be made again for what serves since."""
    if publication.generation != (await current(connection, workspace)).config.generation:
        raise Conflict("the workspace was re-indexed meanwhile; cut and embed the document again")


async def _record(connection: AsyncConnection, publication: Publication, now: float) -> None:
    """Write what is known of the version; the one that readers saw before is no more `indexed`."""
    mine = versions.c.document_id == publication.document_id
    await connection.execute(
        update(versions).where(mine, versions.c.status == Status.INDEXED).values(status=None)
    )
    await connection.execute(
        update(versions)
        .where(mine, versions.c.number == publication.version)
        .values(
            title=publication.title,
            status=Status.INDEXED,
            chunks=len(publication.pieces),
            indexed_at=now,
            reading=asdict(publication.reading),
        )
    )


async def require_vectors(connection: AsyncConnection, publication: Publication | Edition) -> None:
    """Raise `Conflict` where a vector is missing."""
    wanted = sorted(set(publication.hashes))
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        there = await connection.execute(
            select(func.count()).where(
                vectors.c.model == publication.model, vectors.c.text_hash.in_(batch)
            )
        )
        if there.scalar_one() < len(batch):
            raise Conflict("a vector was erased before its chunk was published; embed it again")


def rows_of(
    workspace: str, publication: Publication | Edition, revision: int
) -> list[dict[str, Any]]:
    """The chunks as rows that are added by the revision."""
    return [
        {
            "workspace": workspace,
            "document_id": publication.document_id,
            "version": publication.version,
            "generation": publication.generation,
            "text": piece.text,
            "text_hash": text_hash,
            "start": piece.start,
            "end": piece.end,
            "section": piece.section,
            "page": piece.page,
            "asked": piece.asked,
            "added": revision,
        }
        for piece, text_hash in zip(publication.pieces, publication.hashes, strict=True)
    ]
