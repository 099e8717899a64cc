"""What each workspace holds, counted as it changes."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import insert_new
from adapters.catalog.schema import holdings
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota


async def held(connection: AsyncConnection, workspace: str) -> Holding:
    """What the workspace holds."""
    query = select(holdings.c.documents, holdings.c.bytes).where(holdings.c.workspace == workspace)
    row = (await connection.execute(query)).first()
    return Holding(row.documents, row.bytes) if row else Holding()


async def grow(
    connection: AsyncConnection, workspace: str, more: Holding, quota: Quota = UNLIMITED
) -> None:
    """Count what is added, in the transaction that adds it; negative is taken away.

    Raises:
        Exhausted: when that is beyond the quota.
    """
    quota.admit(await held(connection, workspace), more)
    await insert_new(connection, holdings, [{"workspace": workspace, "documents": 0, "bytes": 0}])
    await connection.execute(
        update(holdings)
        .where(holdings.c.workspace == workspace)
        .values(
            documents=holdings.c.documents + more.documents, bytes=holdings.c.bytes + more.bytes
        )
    )
