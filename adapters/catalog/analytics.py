"""Counts of searches in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database, upsert
from adapters.catalog.schema import search_counts, workspaces
from orchestrator.domain.analytics import TEXTS, Counted, Kind


class SqlAnalytics:
    """`orchestrator.ports.catalog.Analytics`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[Counted, int], *, texts: int) -> None:
        """Upsert every count, in the order of the keys, so that two processes never deadlock."""
        async with self._database.write() as connection:
            kept = await _kept(connection, counts, texts)
            if not kept:
                return
            rows = [
                {**one._asdict(), "day": one.day.toordinal(), "count": counts[one]}
                for one in sorted(kept)
            ]
            counted = upsert(connection, search_counts)
            await connection.execute(
                counted.on_conflict_do_update(
                    index_elements=list(search_counts.primary_key),
                    set_={"count": search_counts.c.count + counted.excluded.count},
                ),
                rows,
            )

    async def since(self, workspace: str, day: date) -> Sequence[tuple[Kind, str, int]]:
        """Add up the days."""
        query = (
            select(search_counts.c.kind, search_counts.c.name, func.sum(search_counts.c.count))
            .where(search_counts.c.workspace == workspace, search_counts.c.day >= day.toordinal())
            .group_by(search_counts.c.kind, search_counts.c.name)
            .order_by(search_counts.c.kind, search_counts.c.name)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [(kind, name, int(count)) for kind, name, count in rows]

    async def forget(self, day: date) -> None:
        """Delete the rows, if there are any: texts of questions go from the file, too."""
        old = search_counts.c.day < day.toordinal()
        async with self._database.read() as connection:
            if not (await connection.execute(select(search_counts.c.day).where(old))).first():
                return
        async with self._database.write() as connection:
            await connection.execute(delete(search_counts).where(old))
        await self._database.checkpoint()


async def _kept(
    connection: AsyncConnection, counts: Mapping[Counted, int], texts: int
) -> Sequence[Counted]:
    """What may be counted: of live workspaces, and of texts not more than the limit."""
    named = {one.workspace for one in counts}
    live = set(
        await connection.scalars(
            select(workspaces.c.uid).where(
                workspaces.c.uid.in_(named), workspaces.c.deleted_at.is_(None)
            )
        )
    )
    kept: list[Counted] = []
    groups: dict[tuple[str, date, Kind], list[Counted]] = defaultdict(list)
    for one in counts:
        if one.workspace in live:
            (groups[one.workspace, one.day, one.kind] if one.kind in TEXTS else kept).append(one)
    for (workspace, day, kind), some in groups.items():
        known = set(
            await connection.scalars(
                select(search_counts.c.name).where(
                    search_counts.c.workspace == workspace,
                    search_counts.c.day == day.toordinal(),
                    search_counts.c.kind == kind,
                )
            )
        )
        kept += [one for one in some if one.name in known]
        kept += [one for one in some if one.name not in known][: max(0, texts - len(known))]
    return kept
