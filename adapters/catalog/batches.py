"""Batches and their items in SQL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, Select, bindparam, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.schema import batch_items, batches, documents, workspaces
from orchestrator.domain.batches import Batch, Ending, Errand, Item, Kind, Line, Outcome, Standing
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import NotFound

_STATUS: Final = case(
    (batch_items.c.standing != Standing.TAKEN, batch_items.c.standing),
    (documents.c.id.is_(None) | documents.c.deleted_at.is_not(None), Status.DELETED),
    else_=documents.c.status,
)
_JOINED: Final = batch_items.outerjoin(documents, documents.c.id == batch_items.c.document_id)


class SqlBatches:
    """`orchestrator.ports.catalog.Batches`; workspaces are given by their uid."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        workspace: str,
        kind: Kind,
        items: Sequence[Item],
        *,
        plan: Mapping[str, Any],
        seconds: float,
    ) -> Batch:
        """Insert it with all its items."""
        batch_id, now = uuid.uuid4().hex, time.time()
        async with self._database.write() as connection:
            alive = select(workspaces.c.uid).where(
                workspaces.c.uid == workspace, workspaces.c.deleted_at.is_(None)
            )
            if (await connection.execute(alive)).first() is None:
                raise NotFound("the workspace is gone", code="unknown_workspace")
            await connection.execute(
                insert(batches).values(
                    id=batch_id,
                    workspace=workspace,
                    kind=kind,
                    plan=dict(plan),
                    waiting=len(items),
                    total=len(items),
                    claimed_until=now + seconds if kind is Kind.FILES else 0.0,
                    created_at=now,
                    updated_at=now,
                )
            )
            await _add(connection, batch_id, items, first=1)
        return await self.get(batch_id)

    async def get(self, batch_id: str) -> Batch:
        """Read it, and count its items by their documents' status, from one snapshot."""
        async with self._database.read() as connection:
            return await _read(connection, batch_id)

    async def lines(self, batch_id: str, *, after: int, limit: int) -> Sequence[Line]:
        """Page by number, joined with the documents."""
        query = (
            select(
                batch_items.c.number,
                batch_items.c.source_id,
                _STATUS,
                batch_items.c.document_id,
                func.coalesce(batch_items.c.code, documents.c.error_code),
                func.coalesce(batch_items.c.reason, documents.c.error),
            )
            .select_from(_JOINED)
            .where(batch_items.c.batch_id == batch_id, batch_items.c.number > after)
            .order_by(batch_items.c.number)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [Line(*row) for row in await connection.execute(query)]


class SqlErrands:
    """`orchestrator.ports.catalog.Errands`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, runner: str, *, seconds: float) -> Errand | None:
        """Reads first, so that an idle poll never writes."""
        oldest = _free(time.time())
        async with self._database.read() as connection:
            if (await connection.execute(oldest)).first() is None:
                return None
        async with self._database.write() as connection:
            batch_id = (await connection.execute(_free(time.time()))).scalar_one_or_none()
            if batch_id is None:
                return None
            await connection.execute(
                update(batches)
                .where(batches.c.id == batch_id)
                .values(claimed_by=runner, claimed_until=time.time() + seconds)
            )
            item = (await connection.execute(_next(batch_id))).one()
            return Errand(await _read(connection, batch_id), item.number, _item(item))

    async def release(self, runner: str) -> None:
        """Drop the runner's claims."""
        async with self._database.write() as connection:
            await connection.execute(
                update(batches)
                .where(batches.c.claimed_by == runner)
                .values(claimed_by=None, claimed_until=0.0)
            )

    async def settle(
        self, batch_id: str, number: int, ending: Ending, *, most: int = 0, seconds: float = 0.0
    ) -> None:
        """Write the item once; what it was given is dropped with it."""
        async with self._database.write() as connection:
            written = await connection.execute(
                update(batch_items)
                .where(batch_items.c.batch_id == batch_id, batch_items.c.number == number)
                .where(batch_items.c.standing == Standing.WAITING)
                .values(given=None, **_written(ending.outcome))
            )
            if not written.rowcount:
                return
            new = await _new(connection, batch_id, ending.found, most)
            now = time.time()
            updated = await connection.execute(
                update(batches)
                .where(batches.c.id == batch_id)
                .values(
                    waiting=batches.c.waiting - 1 + len(new),
                    total=batches.c.total + len(new),
                    bytes=batches.c.bytes + ending.spent,
                    claimed_by=None,
                    claimed_until=now + seconds,
                    updated_at=now,
                )
                .returning(batches.c.total)
            )
            await _add(connection, batch_id, new, first=updated.scalar_one() - len(new) + 1)

    async def settle_all(
        self, batch_id: str, outcomes: Mapping[int, Outcome], *, seconds: float
    ) -> None:
        """Write the items, and count what is left."""
        item = (
            update(batch_items)
            .where(batch_items.c.batch_id == batch_id, batch_items.c.number == bindparam("at"))
            .where(batch_items.c.standing == Standing.WAITING)
            .values({name: bindparam(f"new_{name}") for name in _WRITTEN} | {"given": None})
        )
        left = select(func.count()).where(
            batch_items.c.batch_id == batch_id, batch_items.c.standing == Standing.WAITING
        )
        async with self._database.write() as connection:
            await connection.execute(
                item,
                [
                    {"at": number, **{f"new_{k}": v for k, v in _written(outcome).items()}}
                    for number, outcome in outcomes.items()
                ],
            )
            now = time.time()
            await connection.execute(
                update(batches)
                .where(batches.c.id == batch_id)
                .values(waiting=left.scalar_subquery(), claimed_until=now + seconds, updated_at=now)
            )


_WRITTEN: Final = ("standing", "document_id", "code", "reason")


def _written(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in _WRITTEN}


def _free(now: float) -> Select[Any]:
    return (
        select(batches.c.id)
        .join(workspaces, workspaces.c.uid == batches.c.workspace)
        .where(batches.c.waiting > 0, batches.c.claimed_until < now)
        .where(batches.c.kind != Kind.FILES, workspaces.c.deleted_at.is_(None))
        .order_by(batches.c.claimed_until, batches.c.created_at)
        .limit(1)
    )


def _next(batch_id: str) -> Select[Any]:
    return (
        select(batch_items)
        .where(batch_items.c.batch_id == batch_id, batch_items.c.standing == Standing.WAITING)
        .order_by(batch_items.c.number)
        .limit(1)
    )


async def _read(connection: AsyncConnection, batch_id: str) -> Batch:
    row = (await connection.execute(select(batches).where(batches.c.id == batch_id))).first()
    if row is None:
        raise NotFound(f"there is no job '{batch_id}'", code="unknown_job")
    told = (
        select(_STATUS.label("status"))
        .select_from(_JOINED)
        .where(batch_items.c.batch_id == batch_id)
        .subquery()
    )
    counted = await connection.execute(
        select(told.c.status, func.count().label("items")).group_by(told.c.status)
    )
    return _batch(row, {one.status: one.items for one in counted})


async def _add(
    connection: AsyncConnection, batch_id: str, items: Sequence[Item], *, first: int
) -> None:
    if items:
        await connection.execute(
            insert(batch_items),
            [
                {
                    "batch_id": batch_id,
                    "number": number,
                    "source_id": item.source_id,
                    "standing": Standing.WAITING,
                    "depth": item.depth,
                    "given": {
                        "place": item.place,
                        "title": item.title,
                        "metadata": dict(item.metadata),
                        "acl": sorted(item.acl),
                    },
                }
                for number, item in enumerate(items, start=first)
            ],
        )


async def _new(
    connection: AsyncConnection, batch_id: str, found: Sequence[Item], most: int
) -> list[Item]:
    if not found:
        return []
    by_id = {item.source_id: item for item in reversed(found)}
    known: set[str] = set()
    names = list(by_id)
    for start in range(0, len(names), 500):
        rows = await connection.execute(
            select(batch_items.c.source_id).where(
                batch_items.c.batch_id == batch_id,
                batch_items.c.source_id.in_(names[start : start + 500]),
            )
        )
        known.update(rows.scalars())
    total = await connection.execute(select(batches.c.total).where(batches.c.id == batch_id))
    room = max(0, most - total.scalar_one())
    fresh = dict.fromkeys(item.source_id for item in found if item.source_id not in known)
    return [by_id[name] for name in fresh][:room]


def _batch(row: Row[Any], counts: Mapping[str, int]) -> Batch:
    kind = Kind(row.kind)
    return Batch(
        id=row.id,
        workspace=row.workspace,
        kind=kind,
        plan=row.plan,
        interrupted=kind is Kind.FILES and row.waiting > 0 and row.claimed_until < time.time(),
        counts=counts,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        updated_at=datetime.fromtimestamp(row.updated_at, UTC),
        bytes=row.bytes,
    )


def _item(row: Row[Any]) -> Item:
    return Item(
        source_id=row.source_id,
        place=row.given["place"],
        depth=row.depth,
        title=row.given["title"],
        metadata=row.given["metadata"],
        acl=frozenset(row.given["acl"]),
    )
