"""Chunk texts and vectors in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    cast,
    literal_column,
    select,
)

from adapters.catalog.database import Database, elements, insert_new
from adapters.catalog.schema import chunks, documents, vectors, versions
from orchestrator.domain.documents import Chunk, Piece
from orchestrator.ports.arrays import Ids, Vectors

BATCH = 500

_CHUNKS: Final = (
    select(
        chunks.c.id,
        chunks.c.document_id,
        documents.c.source_id,
        chunks.c.version,
        versions.c.title,
        chunks.c.text,
        chunks.c.start,
        chunks.c.end,
        chunks.c.section,
        chunks.c.page,
        chunks.c.asked,
    )
    .join(documents, documents.c.id == chunks.c.document_id)
    .join(
        versions,
        (versions.c.document_id == chunks.c.document_id) & (versions.c.number == chunks.c.version),
    )
    .where(documents.c.deleted_at.is_(None))
)
"""In the order of `Chunk`'s fields."""

_IDS: Final = elements(bindparam("ids", type_=JSON)).table_valued("value")
_READ: Final = _CHUNKS.where(chunks.c.id.in_(select(cast(_IDS.c.value, BigInteger))))


class SqlChunks:
    """`orchestrator.ports.catalog.Chunks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, ids: Sequence[int]) -> Sequence[Chunk]:
        """Read by primary key, joined with the version for its title."""
        rows = await self._database.lookup(_READ, ids)
        return [Chunk(*row) for row in rows]

    async def of(
        self, document_id: str, *, generation: int, after: int, limit: int
    ) -> Sequence[Chunk]:
        """Page by id: chunks of one version are numbered in their order."""
        query = (
            _CHUNKS.where(chunks.c.document_id == document_id, chunks.c.id > after)
            .where(chunks.c.generation == generation, chunks.c.removed.is_(None))
            .order_by(chunks.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [Chunk(*tuple(row)) for row in await connection.execute(query)]

    async def texts(self, ids: Ids, *, whole: int = 1) -> AsyncIterator[tuple[Ids, Sequence[str]]]:
        """Read what was embedded, and what stands beside it in short documents."""
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH].tolist()
            found, beside = await self.read(some), await self._beside(some, whole)
            yield (
                np.array([chunk.id for chunk in found], np.int64),
                [
                    "\n".join((_piece(chunk).embedded(chunk.title), *beside[chunk.id]))
                    for chunk in found
                ],
            )

    async def _beside(self, ids: Sequence[int], whole: int) -> Mapping[int, Sequence[str]]:
        beside: defaultdict[int, list[str]] = defaultdict(list)
        if whole > 1:
            for chunk_id, text in await self._database.lookup(_others(whole), ids):
                beside[chunk_id].append(text)
        return beside


@cache
def _others(whole: int) -> Select[Any]:
    """The texts beside each chunk of the ids, where at most `whole` were published together."""
    other, beyond = chunks.alias("other"), chunks.alias("beyond")
    more = select(beyond.c.id).where(_together(beyond)).correlate(chunks)
    more = more.limit(literal_column("1")).offset(literal_column(str(whole)))
    return (
        select(chunks.c.id, other.c.text)
        .select_from(chunks)
        .join(other, _together(other) & (other.c.id != chunks.c.id))
        .where(chunks.c.id.in_(select(cast(_IDS.c.value, BigInteger))))
        .where(chunks.c.asked.is_(False), other.c.asked.is_(False))
        .where(~more.exists())
        .order_by(other.c.id)
    )


def _together(other: Any) -> ColumnElement[bool]:
    """Whether the other chunk is of the same document, cut in the same way at the same time."""
    return and_(
        other.c.workspace == chunks.c.workspace,
        other.c.document_id == chunks.c.document_id,
        other.c.generation == chunks.c.generation,
        other.c.added == chunks.c.added,
    )


def _piece(chunk: Chunk) -> Piece:
    return Piece(chunk.text, chunk.start, chunk.end, chunk.section, chunk.page, chunk.asked)


class SqlVectors:
    """`orchestrator.ports.catalog.VectorTable`: rows, so that one vector can be erased."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, model: str, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Look the hashes up in the unique index."""
        found: set[bytes] = set()
        async with self._database.read() as connection:
            for start in range(0, len(hashes), BATCH):
                rows = await connection.execute(
                    select(vectors.c.text_hash).where(
                        vectors.c.model == model,
                        vectors.c.text_hash.in_(hashes[start : start + BATCH]),
                    )
                )
                found.update(rows.scalars())
        return frozenset(found)

    async def put(self, model: str, hashes: Sequence[bytes], vectors_: Vectors) -> None:
        """Insert rows of raw float32; the first one stays."""
        if not hashes:
            return
        rows = [
            {"model": model, "text_hash": text_hash, "vector": vector.tobytes()}
            for text_hash, vector in zip(hashes, vectors_, strict=True)
        ]
        async with self._database.write() as connection:
            await insert_new(connection, vectors, rows)

    async def vectors(self, model: str, ids: Ids) -> AsyncIterator[tuple[Ids, Vectors]]:
        """Read batches by chunk id, in the order given."""
        for start in range(0, len(ids), BATCH):
            query = (
                select(chunks.c.id, vectors.c.vector)
                .join(
                    vectors,
                    (vectors.c.text_hash == chunks.c.text_hash) & (vectors.c.model == model),
                )
                .where(chunks.c.id.in_(ids[start : start + BATCH].tolist()))
                .order_by(chunks.c.id)
            )
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).all()
            if rows:
                data = np.frombuffer(b"".join(row.vector for row in rows), np.float32)
                yield (
                    np.array([row.id for row in rows], np.int64),
                    data.reshape(len(rows), -1),
                )
