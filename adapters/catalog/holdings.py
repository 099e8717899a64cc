"""What each workspace holds, counted as it changes."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import upsert
from adapters.catalog.schema import holdings
from orchestrator.domain.quotas import Holding


async def held(connection: AsyncConnection, workspace: str) -> Holding:
    """What the workspace holds."""
    query = select(holdings.c.documents, holdings.c.bytes).where(holdings.c.workspace == workspace)
    row = (await connection.execute(query)).first()
    return Holding(row.documents, row.bytes) if row else Holding()


async def grow(connection: AsyncConnection, workspace: str, more: Holding) -> None:
    """Count what is added, in the transaction that adds it; negative is taken away."""
    counted = upsert(connection, holdings).values(
        workspace=workspace, documents=more.documents, bytes=more.bytes
    )
    await connection.execute(
        counted.on_conflict_do_update(
            index_elements=[holdings.c.workspace],
            set_={
                "documents": holdings.c.documents + more.documents,
                "bytes": holdings.c.bytes + more.bytes,
            },
        )
    )
