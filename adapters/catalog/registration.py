"""Arrivals written to the catalog, many in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.holdings import grow, held
from adapters.catalog.schema import documents, jobs, versions
from adapters.catalog.workspaces import advance
from orchestrator.domain.documents import Document, Status
from orchestrator.domain.errors import Conflict, Exhausted
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota
from orchestrator.ports.catalog import Arrival


async def record(
    connection: AsyncConnection,
    workspace: str,
    arrivals: Sequence[Arrival],
    known: Mapping[str, Document],
    quota: Quota,
) -> Mapping[str, Conflict | Exhausted]:
    """Insert new documents and versions, and give by source id why others were refused.

    `known` are the live documents of these source ids. The same bytes may only change rights.
    """
    refused: dict[str, Conflict | Exhausted] = {}
    new: list[Arrival] = []
    more = Holding()
    holding = more if quota == UNLIMITED else await held(connection, workspace)
    gone = await _taken_ids(connection, [one for one in arrivals if not _known(one, known)])
    for arrival in arrivals:
        name = arrival.upload.source_id
        before = known.get(name)
        if arrival.document_id in gone or (before and before.id != arrival.document_id):
            refused[name] = Conflict("the source id was taken meanwhile", code="source_taken")
            continue
        growth = _growth(arrival, before)
        try:
            quota.admit(holding + more, growth)
        except Exhausted as error:
            refused[name] = error
            continue
        more += growth
        if before is None:
            new.append(arrival)
        else:
            await _renew(connection, before, arrival)
    await _insert(connection, workspace, new)
    if more != Holding():
        await grow(connection, workspace, more)
    return refused


def same(known: Document | None, arrival: Arrival) -> bool:
    """Whether the document holds these bytes already, and nothing is to be done for them."""
    return (
        known is not None
        and known.content_hash == arrival.content_hash
        and known.status is not Status.FAILED
        and (arrival.upload.title or known.title) == known.title
    )


async def enqueue(
    connection: AsyncConnection, workspace: str, document_id: str, number: int, now: float
) -> None:
    """A job for one version."""
    await connection.execute(insert(jobs), [_job(workspace, document_id, number, now)])


def _known(arrival: Arrival, known: Mapping[str, Document]) -> bool:
    return arrival.upload.source_id in known


def _growth(arrival: Arrival, known: Document | None) -> Holding:
    if known is None:
        return Holding(1, arrival.size)
    return Holding() if same(known, arrival) else Holding(0, arrival.size - known.size)


async def _taken_ids(connection: AsyncConnection, arrivals: Sequence[Arrival]) -> set[str]:
    """Of ids that are to be new, those of documents that were deleted meanwhile."""
    if not arrivals:
        return set()
    ids = [one.document_id for one in arrivals]
    found = await connection.execute(select(documents.c.id).where(documents.c.id.in_(ids)))
    return set(found.scalars())


async def _insert(connection: AsyncConnection, workspace: str, arrivals: Sequence[Arrival]) -> None:
    if not arrivals:
        return
    now = time.time()
    await connection.execute(
        insert(documents),
        [
            {
                "id": one.document_id,
                "workspace": workspace,
                "source_id": one.upload.source_id,
                "title": one.upload.title or "",
                "metadata": dict(one.upload.metadata),
                "acl": sorted(one.upload.acl),
                "status": Status.QUEUED,
                "version": 1,
                "chunks": 0,
                "revision": 0,
                "created_at": now,
                "updated_at": now,
            }
            for one in arrivals
        ],
    )
    await connection.execute(insert(versions), [_version(one, 1, now) for one in arrivals])
    await connection.execute(
        insert(jobs), [_job(workspace, one.document_id, 1, now) for one in arrivals]
    )


async def _renew(connection: AsyncConnection, known: Document, arrival: Arrival) -> None:
    upload = arrival.upload
    if not same(known, arrival):
        await _replace(connection, known, arrival)
    elif known.metadata != upload.metadata or known.acl != upload.acl:
        await _regrant(connection, known, arrival)


async def _replace(connection: AsyncConnection, known: Document, arrival: Arrival) -> None:
    number, now = known.version + 1, time.time()
    await connection.execute(
        update(documents)
        .where(documents.c.id == known.id)
        .values(version=number, status=Status.QUEUED, error=None, error_code=None, updated_at=now)
    )
    await connection.execute(delete(jobs).where(jobs.c.document_id == known.id))
    await connection.execute(insert(versions), [_version(arrival, number, now)])
    await enqueue(connection, known.workspace, known.id, number, now)
    await _regrant(connection, known, arrival)


async def _regrant(connection: AsyncConnection, known: Document, arrival: Arrival) -> None:
    upload = arrival.upload
    revision = await advance(connection, known.workspace, "rights", known.id)
    await connection.execute(
        update(documents)
        .where(documents.c.id == known.id)
        .values(metadata=dict(upload.metadata), acl=sorted(upload.acl), revision=revision)
    )


def _version(arrival: Arrival, number: int, now: float) -> dict[str, object]:
    return {
        "document_id": arrival.document_id,
        "number": number,
        "title": arrival.upload.title or "",
        "media_type": arrival.media_type,
        "size": arrival.size,
        "content_hash": arrival.content_hash,
        "blob_key": arrival.blob_key,
        "created_at": now,
        "queued_at": now,
    }


def _job(workspace: str, document_id: str, number: int, now: float) -> dict[str, object]:
    return {
        "workspace": workspace,
        "document_id": document_id,
        "version": number,
        "attempts": 0,
        "created_at": now,
    }
