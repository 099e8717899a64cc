"""Documents with their vectors written straight to a catalog, as a worker would publish them."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice

from generated import Generated

from orchestrator.domain.documents import Piece, Upload, text_hash
from orchestrator.domain.errors import RagError
from orchestrator.ports.catalog import Arrival, Catalog, Publication
from orchestrator.ports.queue import Queue

BATCH = 50


async def publish(
    catalog: Catalog, queue: Queue, uid: str, model: str, documents: Iterator[Generated]
) -> int:
    """Publish documents in a workspace, given by its uid; how many chunks."""
    chunks = 0
    while batch := list(islice(documents, BATCH)):
        ids = await _registered(catalog, uid, batch)
        jobs = {job.document_id: job.id for job in await _claimed(queue, len(batch))}
        publications = []
        for one, document_id in zip(batch, ids, strict=True):
            title = f"Document {one.number}"
            pieces = [Piece(text, 0, len(text)) for text in one.texts]
            hashes = [text_hash(piece.embedded(title)) for piece in pieces]
            await catalog.vectors.put(model, hashes, one.vectors)
            chunks += len(pieces)
            publications.append(
                Publication(jobs[document_id], model, document_id, 1, 1, title, pieces, hashes)
            )
        await catalog.log.publish(publications)
    return chunks


async def _registered(catalog: Catalog, uid: str, batch: Sequence[Generated]) -> list[str]:
    arrivals = [
        Arrival(
            Upload(f"generated/{one.number}", io.BytesIO(), "generated.txt", metadata=one.metadata),
            uuid.uuid4().hex,
            "text/plain",
            sum(map(len, one.texts)),
            f"{one.number:064x}",
            f"{uid}/generated/{one.number}",
        )
        for one in batch
    ]
    outcomes = await catalog.documents.register(uid, arrivals)
    for outcome in outcomes:
        if isinstance(outcome, RagError):
            raise outcome
    return [one.document_id for one in arrivals]


async def _claimed(queue: Queue, count: int) -> Sequence[object]:
    await queue.dispatch()
    return await queue.claim(uuid.uuid4().hex, limit=count, seconds=600)
