"""Re-indexings in SQL: what lags is read from the chunks themselves, never remembered."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.deletions import erase_chunks
from adapters.catalog.documents import document, shown
from adapters.catalog.log import require_vectors, rows_of
from adapters.catalog.schema import (
    changes,
    chunks,
    configurations,
    documents,
    reindexings,
    vectors,
    versions,
    workspaces,
)
from adapters.catalog.workspaces import advance, current, next_version
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.domain.workspaces import Footing, Workspace
from orchestrator.ports.catalog.reindexings import Edition, Lagging

HOLD_S: Final = 5.0
"""So long publications wait after a switch was tried that had to catch up first."""
UNHELD_S: Final = 12 * HOLD_S
"""So long they go on after they waited, whatever is tried: what lags may be stuck."""
HELD_FOR: Final = 1_000
"""For more documents than these publications do not wait: so many do not catch up meanwhile."""
SWITCHED: Final = "switched"
"""The change at which readers came to another generation."""
ERASED: Final = 2_000
"""Chunks, and vectors, that are erased in one transaction."""

_FOOTING = TypeAdapter(Footing)
_OPEN: Final = reindexings.c.ended_at.is_(None)
_WAYS: Final[Mapping[State, Collection[State]]] = {
    State.BUILDING: {State.VERIFIED, State.CANCELLED, State.FAILED},
    State.VERIFIED: {State.CANCELLED, State.FAILED},
    State.SWITCHED: {State.CONFIRMED},
    **{end: () for end in State if end not in ("building", "verified", "switched")},
}
"""Where `settle` leads to from each state; after a switch, what serves must never be erased."""


class SqlReindexings:
    """`orchestrator.ports.catalog.Reindexings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, workspace: str, after: Footing, models: Models, *, automatic: bool
    ) -> Reindexing:
        """Insert it beside what the workspace's configuration says now."""
        async with self._database.write() as connection:
            now = await current(connection, workspace)
            before = now.config.footing
            wanted = replace(after, generation=before.generation)
            if wanted == before:
                raise Conflict(
                    f"workspace '{now.name}' is indexed like that already",
                    code="nothing_to_reindex",
                )
            await _require_none_open(connection, now)
            if (before.embedder, before.chunking) != (after.embedder, after.chunking):
                wanted = replace(wanted, generation=await _next_generation(connection, now))
            id_ = uuid.uuid4().hex
            made = {
                "id": id_,
                "workspace": workspace,
                "state": State.BUILDING,
                "before": asdict(before),
                "after": asdict(wanted),
                "models": asdict(models),
                "automatic": automatic,
                "share": 0.0,
                "created_at": time.time(),
                "held_until": 0.0,
                "claimed_until": 0.0,
            }
            await connection.execute(insert(reindexings).values(made))
            await advance(connection, workspace, "reindexing", None)
            return await _counted(connection, await _by_id(connection, id_))

    async def latest(self, workspace: str) -> Reindexing | None:
        """Read the newest row, and count."""
        query = (
            select(reindexings)
            .where(reindexings.c.workspace == workspace)
            .order_by(reindexings.c.created_at.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
            return await _counted(connection, _reindexing(row)) if row else None

    async def open(self) -> Sequence[Reindexing]:
        """Read the few open rows."""
        query = (
            select(reindexings)
            .join(workspaces, workspaces.c.uid == reindexings.c.workspace)
            .where(_OPEN, workspaces.c.deleted_at.is_(None))
            .order_by(reindexings.c.created_at)
        )
        async with self._database.read() as connection:
            return [_reindexing(row) for row in await connection.execute(query)]

    async def of(self, workspace: str) -> Reindexing | None:
        """Read the one open row, if any."""
        query = select(reindexings).where(_OPEN, reindexings.c.workspace == workspace)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _reindexing(row) if row else None

    async def held(self, workspace: str) -> bool:
        """Read the one open row, if any."""
        query = select(reindexings.c.id).where(
            _OPEN, reindexings.c.workspace == workspace, reindexings.c.held_until > time.time()
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    async def take(self, one: Reindexing, runner: str, *, seconds: float) -> bool:
        """Write the claim, unless another's covers it."""
        now = time.time()
        mine = or_(reindexings.c.claimed_by == runner, reindexings.c.claimed_until < now)
        async with self._database.write() as connection:
            taken = await connection.execute(
                update(reindexings)
                .where(reindexings.c.id == one.id, _OPEN, mine)
                .values(claimed_by=runner, claimed_until=now + seconds)
            )
        return bool(taken.rowcount)

    async def release(self, runner: str) -> None:
        """Drop the claims."""
        async with self._database.write() as connection:
            await connection.execute(
                update(reindexings)
                .where(reindexings.c.claimed_by == runner)
                .values(claimed_by=None, claimed_until=0.0)
            )

    async def lagging(self, one: Reindexing, *, after: str, limit: int) -> Sequence[Lagging]:
        """Page through the index of runs by document, then read what is to be done of each."""
        page = _lagging(one).where(chunks.c.document_id > after)
        page = page.order_by(chunks.c.document_id).limit(limit)
        async with self._database.read() as connection:
            found = {row.id: row.seen for row in await connection.execute(page)}
            rows = await connection.execute(_seen(one, list(found)))
            known = {
                row.id: Lagging(
                    row.id,
                    found[row.id],
                    row.number,
                    row.shown_title,
                    row.blob_key,
                    document(row),
                )
                for row in rows
            }
        return [known.get(id_, Lagging(id_, seen or 0)) for id_, seen in found.items()]

    async def publish(self, one: Reindexing, editions: Sequence[Edition]) -> None:
        """One transaction for the batch."""
        async with self._database.write() as connection:
            for edition in editions:
                now = await _by_id(connection, one.id)
                if now.ended_at is None and now.beside.generation == edition.generation:
                    await _publish(connection, now, edition)

    async def advanced(self, one: Reindexing, share: float) -> None:
        """Write it into the row."""
        async with self._database.write() as connection:
            await connection.execute(
                update(reindexings).where(reindexings.c.id == one.id).values(share=share)
            )

    async def settle(self, one: Reindexing, state: State, *, reason: str | None = None) -> bool:
        """Update the row, if its state is still the one given."""
        if state not in _WAYS[one.state]:
            return False
        ended = None if state is State.VERIFIED else time.time()
        async with self._database.write() as connection:
            moved = await connection.execute(
                update(reindexings)
                .where(reindexings.c.id == one.id, reindexings.c.state == one.state)
                .values(state=state, reason=reason, ended_at=ended)
            )
            if moved.rowcount:
                await advance(connection, one.workspace, "reindexing", None)
        return bool(moved.rowcount)

    async def switch(self, one: Reindexing) -> Workspace | None:
        """Count what lags and write the configuration in one transaction."""
        async with self._database.write() as connection:
            now = await _by_id(connection, one.id)
            if now.state is not one.state or now.ended_at is not None:
                return None
            if one.copies:
                some = await connection.execute(_lagging(one).limit(HELD_FOR + 1))
                if behind := len(some.all()):
                    if behind <= HELD_FOR:
                        await _hold(connection, one)
                    return None
            return await _switch(connection, one)

    async def unerased(self, *, seconds: float) -> Sequence[Reindexing]:
        """Read the ended rows; of what never served, nothing is waited for but building it."""
        long_ago = time.time() - seconds
        query = select(reindexings).where(
            reindexings.c.ended_at.is_not(None),
            reindexings.c.erased_at.is_(None),
            or_(
                reindexings.c.switched_at.is_(None),
                and_(reindexings.c.state == State.CONFIRMED, reindexings.c.switched_at < long_ago),
                and_(reindexings.c.state == State.ROLLED_BACK, reindexings.c.ended_at < long_ago),
            ),
        )
        async with self._database.read() as connection:
            return [_reindexing(row) for row in await connection.execute(query)]

    async def erase(self, one: Reindexing) -> int:
        """Chunks of the generation that was left, and vectors that only they needed."""
        if not one.copies:
            return 0
        some = select(chunks.c.id).where(
            chunks.c.workspace == one.workspace, chunks.c.generation == one.beside.generation
        )
        async with self._database.write() as connection:
            if erased := await erase_chunks(
                connection, chunks.c.id.in_(some.limit(ERASED).scalar_subquery())
            ):
                return erased
            if one.model in await _in_use(connection, one.workspace):
                return 0
            return await _erase_vectors(connection, one)

    async def erased(self, one: Reindexing) -> None:
        """Write the time."""
        async with self._database.write() as connection:
            await connection.execute(
                update(reindexings).where(reindexings.c.id == one.id).values(erased_at=time.time())
            )
        await self._database.checkpoint()


async def _require_none_open(connection: AsyncConnection, workspace: Workspace) -> None:
    query = select(reindexings.c.id).where(_OPEN, reindexings.c.workspace == workspace.uid)
    if (await connection.execute(query)).first():
        raise Conflict(
            f"workspace '{workspace.name}' is being re-indexed: confirm that, or undo it, first",
            code="reindexing_in_progress",
        )


async def _next_generation(connection: AsyncConnection, workspace: Workspace) -> int:
    """One that no configuration of the workspace, and no other re-indexing, ever had."""
    stored = await connection.execute(
        select(configurations.c.body).where(configurations.c.workspace == workspace.uid)
    )
    tried = await connection.execute(
        select(reindexings.c.after).where(reindexings.c.workspace == workspace.uid)
    )
    bodies = [*stored.scalars(), *tried.scalars()]
    return 1 + max(int(body.get("generation", 1)) for body in bodies)


def _lagging(one: Reindexing) -> Select[Any]:
    """Documents that readers see in a version which the other generation does not have.

    Before the switch, all that was published since the other generation's was; after it, all that
    was published since the switch, at which both held the same.
    """
    switched = select(func.max(changes.c.revision)).where(
        changes.c.workspace == one.workspace, changes.c.kind == SWITCHED
    )
    since = switched.scalar_subquery() if one.serving == one.after else 0
    seen = func.max(chunks.c.added).filter(chunks.c.generation == one.serving.generation)
    beside = func.max(chunks.c.added).filter(chunks.c.generation == one.beside.generation)
    return (
        select(chunks.c.document_id.label("id"), seen.label("seen"))
        .where(
            chunks.c.workspace == one.workspace,
            chunks.c.removed.is_(None),
            chunks.c.generation.in_([one.before.generation, one.after.generation]),
        )
        .group_by(chunks.c.document_id)
        .having(or_(seen.is_(None), beside.is_(None), and_(beside < seen, seen > since)))
    )


def _seen(one: Reindexing, ids: Sequence[str]) -> Select[Any]:
    """Documents as readers see them: joined with the version that their chunks are of."""
    number = (
        select(func.max(chunks.c.version))
        .where(
            chunks.c.document_id == documents.c.id,
            chunks.c.generation == one.serving.generation,
            chunks.c.removed.is_(None),
        )
        .correlate(documents)
        .scalar_subquery()
    )
    return shown(number, versions.c.number, versions.c.title.label("shown_title")).where(
        documents.c.id.in_(ids)
    )


async def _publish(connection: AsyncConnection, one: Reindexing, edition: Edition) -> None:
    stands = await connection.execute(
        _lagging(one).where(chunks.c.document_id == edition.document_id)
    )
    row = stands.first()
    if row is None or (row.seen or 0) != edition.seen:
        return
    await require_vectors(connection, edition.model, edition.hashes)
    revision = await advance(connection, one.workspace, "reindexed", edition.document_id)
    await connection.execute(
        update(chunks)
        .where(
            chunks.c.document_id == edition.document_id,
            chunks.c.generation == edition.generation,
            chunks.c.removed.is_(None),
        )
        .values(removed=revision, removed_at=time.time())
    )
    if edition.pieces:
        await connection.execute(insert(chunks), rows_of(one.workspace, edition, revision))


async def _hold(connection: AsyncConnection, one: Reindexing) -> None:
    """Let publications wait, unless they do or did a short while ago."""
    now = time.time()
    await connection.execute(
        update(reindexings)
        .where(reindexings.c.id == one.id, reindexings.c.held_until < now - UNHELD_S)
        .values(held_until=now + HOLD_S)
    )


async def _switch(connection: AsyncConnection, one: Reindexing) -> Workspace:
    now = await current(connection, one.workspace)
    moved = await next_version(connection, now, now.config.on(one.beside))
    revision = await advance(connection, one.workspace, SWITCHED, None)
    if one.copies:
        await _recount(connection, one.workspace, one.beside.generation)
    back, at = one.state is State.SWITCHED, time.time()
    values: dict[str, Any] = {"held_until": 0.0}
    if back:
        values |= {"state": State.ROLLED_BACK, "ended_at": at}
    else:
        values |= {"state": State.SWITCHED, "switched_at": at, "share": 1.0}
    await connection.execute(update(reindexings).where(reindexings.c.id == one.id).values(values))
    return replace(moved, revision=revision)


async def _recount(connection: AsyncConnection, workspace: str, generation: int) -> None:
    """Let documents and their versions say how many chunks readers see from now on."""

    def counted(document: Any, version: Any) -> Any:
        return (
            select(func.count())
            .select_from(chunks)
            .where(chunks.c.document_id == document, chunks.c.version == version)
            .where(chunks.c.generation == generation, chunks.c.removed.is_(None))
            .scalar_subquery()
        )

    mine = (documents.c.workspace == workspace) & documents.c.deleted_at.is_(None)
    await connection.execute(
        update(documents)
        .where(mine, documents.c.status == "indexed")
        .values(chunks=counted(documents.c.id, documents.c.version))
    )
    await connection.execute(
        update(versions)
        .where(versions.c.document_id.in_(select(documents.c.id).where(mine)))
        .where(versions.c.status == "indexed")
        .values(chunks=counted(versions.c.document_id, versions.c.number))
    )


async def _in_use(connection: AsyncConnection, workspace: str) -> Collection[str]:
    """The model that serves the workspace; of a re-indexing that is open, both."""
    query = (
        select(reindexings)
        .where(reindexings.c.workspace == workspace)
        .order_by(_OPEN.desc(), reindexings.c.created_at.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    if row is None:  # the workspace was purged meanwhile
        return ()
    last = _reindexing(row)
    if last.ended_at is None:
        return {last.models.before, last.models.after}
    return {last.models.after if last.serving == last.after else last.models.before}


async def _erase_vectors(connection: AsyncConnection, one: Reindexing) -> int:
    """Of the model that was left, those of texts that no other workspace holds."""
    mine, others = chunks.alias(), chunks.alias()
    held = exists().where(
        mine.c.text_hash == vectors.c.text_hash, mine.c.workspace == one.workspace
    )
    shared = exists().where(
        others.c.text_hash == vectors.c.text_hash, others.c.workspace != one.workspace
    )
    some = select(vectors.c.id).where(vectors.c.model == one.model, held, ~shared).limit(ERASED)
    gone = await connection.execute(delete(vectors).where(vectors.c.id.in_(some.scalar_subquery())))
    return gone.rowcount


async def _by_id(connection: AsyncConnection, id_: str) -> Reindexing:
    row = (await connection.execute(select(reindexings).where(reindexings.c.id == id_))).first()
    if row is None:
        raise NotFound("the workspace is gone", code="unknown_workspace")
    return _reindexing(row)


async def _counted(connection: AsyncConnection, one: Reindexing) -> Reindexing:
    if one.ended_at is not None or not one.copies:
        return one
    lagging = _lagging(one).subquery()
    behind = (await connection.execute(select(func.count()).select_from(lagging))).scalar_one()
    held = await connection.execute(
        select(func.count(chunks.c.document_id.distinct())).where(
            chunks.c.workspace == one.workspace,
            chunks.c.generation == one.serving.generation,
            chunks.c.removed.is_(None),
        )
    )
    return replace(one, documents=held.scalar_one(), behind=behind)


def _reindexing(row: Row[Any]) -> Reindexing:
    return Reindexing(
        id=row.id,
        workspace=row.workspace,
        state=State(row.state),
        before=_FOOTING.validate_python(row.before),
        after=_FOOTING.validate_python(row.after),
        models=Models(**row.models),
        automatic=row.automatic,
        share=row.share,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        switched_at=_time(row.switched_at),
        ended_at=_time(row.ended_at),
        erased_at=_time(row.erased_at),
        reason=row.reason,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
