"""The change log in SQL: publication moves the revision, projections read what moved."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database, gathered, ids_of
from adapters.catalog.deletions import erase_chunks
from adapters.catalog.likeness import keep_sketches
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
from adapters.catalog.workspaces import advance_all, current
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
            for workspace, due in (await _due(connection, publications)).items():
                await _publish(connection, workspace, due)

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


async def _due(
    connection: AsyncConnection, publications: Sequence[Publication]
) -> Mapping[str, Sequence[Publication]]:
    """By workspace, what nobody published yet, of documents that have no newer version."""
    ids = [one.document_id for one in publications]
    theirs = select(documents.c.workspace).where(documents.c.id.in_(ids))
    held = select(workspaces.c.uid).where(workspaces.c.uid.in_(theirs)).order_by(workspaces.c.uid)
    await connection.execute(held.with_for_update())  # nothing is deleted or switched meanwhile
    mine = jobs.c.id.in_([one.job_id for one in publications])
    ended = await connection.execute(delete(jobs).where(mine).returning(jobs.c.id))
    first = set(ended.scalars())
    live = select(documents.c.id, documents.c.workspace, documents.c.version).where(
        documents.c.id.in_(ids), documents.c.deleted_at.is_(None)
    )
    known = {(row.id, row.version): row.workspace for row in await connection.execute(live)}
    last = {one.document_id: one for one in publications if one.job_id in first}
    due: dict[str, list[Publication]] = defaultdict(list)
    for one in last.values():
        workspace = known.get((one.document_id, one.version))
        if workspace is not None:
            due[workspace].append(one)
    return due


async def _publish(
    connection: AsyncConnection, workspace: str, publications: Sequence[Publication]
) -> None:
    await _require_generation(connection, workspace, publications)
    for model, some in groupby(publications, key=lambda one: one.model):
        await require_vectors(connection, model, [each for one in some for each in one.hashes])
    ids, now = [one.document_id for one in publications], time.time()
    revisions = await advance_all(connection, workspace, "published", ids)
    each = list(zip(revisions, publications, strict=True))
    await connection.execute(
        _SUPERSEDED,
        [
            {"of": one.document_id, "cut": one.generation, "at": revision, "now": now}
            for revision, one in each
        ],
    )
    if rows := [row for revision, one in each for row in rows_of(workspace, one, revision)]:
        await connection.execute(insert(chunks), rows)
    mine = versions.c.document_id.in_(ids) & (versions.c.status == Status.INDEXED)
    await connection.execute(update(versions).where(mine).values(status=None))
    told = [_told(revision, one, now) for revision, one in each]
    await connection.execute(_INDEXED, told)
    await connection.execute(_READ, told)
    await keep_sketches(
        connection, workspace, {one.document_id: one.sketch for one in publications}
    )


_SUPERSEDED: Final = (
    update(chunks)
    .where(
        chunks.c.document_id == bindparam("of"),
        chunks.c.generation == bindparam("cut"),
        chunks.c.removed.is_(None),
    )
    .values(removed=bindparam("at"), removed_at=bindparam("now"))
)
_INDEXED: Final = (
    update(documents)
    .where(documents.c.id == bindparam("of"))
    .values(
        status=Status.INDEXED,
        error=None,
        error_code=None,
        title=bindparam("called"),
        chunks=bindparam("count"),
        revision=bindparam("at"),
        updated_at=bindparam("now"),
    )
)
_READ: Final = (
    update(versions)
    .where(versions.c.document_id == bindparam("of"), versions.c.number == bindparam("numbered"))
    .values(
        title=bindparam("called"),
        status=Status.INDEXED,
        chunks=bindparam("count"),
        indexed_at=bindparam("now"),
        reading=bindparam("how"),
    )
)


def _told(revision: int, one: Publication, now: float) -> dict[str, Any]:
    """What is written of a document that is indexed, and of its version."""
    return {
        "of": one.document_id,
        "at": revision,
        "now": now,
        "numbered": one.version,
        "called": one.title,
        "count": len(one.pieces),
        "how": asdict(one.reading),
    }


async def _require_generation(
    connection: AsyncConnection, workspace: str, publications: Sequence[Publication]
) -> None:
    """What was made before a switch must be made again for what serves since."""
    serving = (await current(connection, workspace)).config.generation
    if any(one.generation != serving for one in publications):
        raise Conflict("the workspace was re-indexed meanwhile; cut and embed the document again")


async def require_vectors(
    connection: AsyncConnection, model: str, hashes: Collection[bytes]
) -> None:
    """Raise `Conflict` where a vector is missing."""
    wanted = sorted(set(hashes))
    for start in range(0, len(wanted), 500):
        batch = wanted[start : start + 500]
        there = await connection.execute(
            select(func.count()).where(vectors.c.model == model, vectors.c.text_hash.in_(batch))
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
