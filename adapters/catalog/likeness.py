"""Sketches of texts in SQL: a row for each hash, so that likeness is a count of common rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import delete, func, insert, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.schema import sketches
from orchestrator.domain.likeness import ALIKE

MOST: Final = 100
"""How many documents are looked at for each hash: thousands may share their boilerplate."""


async def keep_sketches(
    connection: AsyncConnection, workspace: str, by_document: Mapping[str, Sequence[int]]
) -> None:
    """Write each document's sketch in place of the one before."""
    await connection.execute(delete(sketches).where(sketches.c.document_id.in_(by_document)))
    rows = [
        {"workspace": workspace, "hash": one, "document_id": document_id, "size": len(sketch)}
        for document_id, sketch in by_document.items()
        for one in sketch
    ]
    if rows:
        await connection.execute(insert(sketches), rows)


async def shares(connection: AsyncConnection, document_id: str) -> list[str]:
    """The documents whose sketch is nearly this one's, the most alike first."""
    own = select(sketches.c.workspace, sketches.c.hash).where(sketches.c.document_id == document_id)
    mine = (await connection.execute(own)).all()
    if not mine:
        return []
    same = union_all(
        *(
            select(
                select(sketches.c.document_id, sketches.c.size)
                .where(sketches.c.workspace == one.workspace, sketches.c.hash == one.hash)
                .where(sketches.c.document_id != document_id)
                .order_by(sketches.c.document_id)
                .limit(MOST)
                .subquery()
            )
            for one in mine
        )
    ).subquery()
    common = func.count()
    query = (
        select(same.c.document_id)
        .group_by(same.c.document_id)
        .having(common >= ALIKE * len(mine), common >= ALIKE * func.max(same.c.size))
        .order_by(common.desc(), same.c.document_id)
    )
    return list((await connection.execute(query)).scalars())
