"""An evaluation run: ingest a collection and ask its questions, through the service's own code."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import Final

from orchestrator.answering.service import Answering
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.evaluation import metrics
from orchestrator.evaluation.beir import Collection
from orchestrator.indexing.library import Library
from orchestrator.ingestion.service import Ingestion
from orchestrator.ingestion.worker import Worker

DEPTH: Final = 100
Progress = Callable[[int, int], None]
"""Told how many documents are indexed, and how many there are."""


async def index(
    collection: Collection, ingestion: Ingestion, worker: Worker, library: Library, told: Progress
) -> float:
    """Ingest every document; documents a second, from the first upload until all can be found.

    Raises:
        Rejected: when a document could not be ingested.
    """
    began = time.perf_counter()
    working = asyncio.create_task(worker.run())
    try:
        ids = [
            (await ingestion.submit(DEFAULT_WORKSPACE, upload)).document.id
            for upload in collection.uploads()
        ]
        done = 0
        async for document_id, error in ingestion.follow(ids):
            if error:
                raise Rejected(f"document {document_id} failed: {error}")
            done += 1
            told(done, len(ids))
        await library.settle(DEFAULT_WORKSPACE)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return len(ids) / (time.perf_counter() - began)


async def measure(collection: Collection, answering: Answering) -> dict[str, float]:
    """Ask every judged question, one after another: quality, and latency in milliseconds."""
    rankings, latencies = {}, []
    for number, (question_id, text) in enumerate(collection.questions.items()):
        query = Query(text, Scope(DEFAULT_WORKSPACE), DEPTH)
        if number == 0:
            await answering.search(query, by_document=True)  # the first one pays for warming up
        began = time.perf_counter()
        found, _ = await answering.search(query, by_document=True)
        latencies.append((time.perf_counter() - began) * 1e3)
        rankings[question_id] = [passage.chunk.source_id for passage in found.passages]
    return {
        **metrics.summary(rankings, collection.judgements),
        "p50_ms": metrics.percentile(latencies, 0.50),
        "p95_ms": metrics.percentile(latencies, 0.95),
    }


def peak_mb() -> float:
    """The most memory that this process has had resident, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
