"""An evaluation run: ingest a collection and ask its questions, through the service's own code."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import RagError, Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.evaluation.asking import Asking
from orchestrator.evaluation.beir import Collection
from orchestrator.indexing.library import Library
from orchestrator.ingestion.service import Ingestion
from orchestrator.ingestion.worker import Worker

SHOWN: Final = 10
"""So many documents are asked for as a reader does: this is what is timed."""
DEPTH: Final = 100
"""So many are asked for once more, for the places behind."""
BATCH: Final = 64
Progress = Callable[[int, int], None]
"""Told how much is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What became of the documents: how many are indexed, how fast, and why some are not."""

    documents: int
    docs_per_s: float
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question was given: source ids, best first, and the time that it took."""

    ranking: Sequence[str]
    latency_ms: float


async def index(
    collection: Collection,
    ingestion: Ingestion,
    workers: Sequence[Worker],
    library: Library,
    told: Progress,
) -> Indexed:
    """Ingest every document; timed from the first upload until all can be found.

    Raises:
        Rejected: when not one document could be ingested.
    """
    began, failed = time.perf_counter(), dict[str, str]()
    working = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        sources = await _submit(collection, ingestion, failed)
        total, done = len(sources) + len(failed), 0
        async for document_id, error in ingestion.follow(sources):
            if error:
                failed[sources[document_id]] = error
            done += 1
            told(done, total)
        await library.settle(DEFAULT_WORKSPACE)
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
    if len(failed) == total:
        source_id, reason = next(iter(failed.items()), ("", "there is none"))
        raise Rejected(f"no document could be ingested; '{source_id}' failed: {reason}")
    indexed = total - len(failed)
    return Indexed(indexed, indexed / (time.perf_counter() - began), failed)


async def measure(questions: Mapping[str, str], asking: Asking, told: Progress) -> dict[str, Asked]:
    """Ask every question, one after another, and time each.

    Raises:
        Unavailable: when a stage of retrieval did not answer.
    """
    asked: dict[str, Asked] = {}
    for done, (question_id, text) in enumerate(questions.items(), start=1):
        if not asked:
            await asking.ranking(text, SHOWN)  # the first one pays for warming up
        first, latency_ms = await asking.timed(text, SHOWN)
        further = await asking.ranking(text, DEPTH)
        asked[question_id] = Asked(list(dict.fromkeys([*first, *further]))[:DEPTH], latency_ms)
        told(done, len(questions))
    return asked


async def _submit(
    collection: Collection, ingestion: Ingestion, failed: dict[str, str]
) -> dict[str, str]:
    """Hand all documents over; source ids by document id. What is refused is noted in `failed`."""
    sources: dict[str, str] = {}
    for uploads in _batches(collection.uploads()):
        fates = await ingestion.submit_all(DEFAULT_WORKSPACE, uploads)
        for upload, fate in zip(uploads, fates, strict=True):
            if isinstance(fate, RagError):
                failed[upload.source_id] = fate.detail
            else:
                sources[fate.document.id] = upload.source_id
    return sources


def _batches(uploads: Iterable[Upload]) -> Iterator[list[Upload]]:
    rest = iter(uploads)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch
