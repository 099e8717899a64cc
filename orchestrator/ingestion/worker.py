"""The worker: parse, chunk, embed, publish; one batch of documents after another."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from orchestrator.domain.documents import Piece, Reading, Stage, text_hash
from orchestrator.domain.errors import Conflict, NotFound, RagError, Rejected, Unavailable
from orchestrator.domain.likeness import sketch
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ingestion.cutting import cut
from orchestrator.ingestion.quarantine import Quarantine
from orchestrator.ingestion.reading import Stopwatch, reading_of
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Catalog, Publication, Work
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.parser import Parsers
from orchestrator.ports.queue import Job, Queue

BATCH: Final = 32
CLAIM_S: Final = 15.0
EMBEDDED: Final = 512
"""Texts that are embedded before their vectors are kept: what is done need not be done again."""
IDLE_S: Final = 0.25
RETRY_S: Final = 1.0
LATER_S: Final = 20.0
"""For so long, for each attempt, a document stays back whose own file or parser is out of reach."""
TOGETHER_S: Final = 2.0
"""So long documents wait for others of their batch, to be published together."""
OUTAGE_S: Final = 5.0
"""For so long where no document came to its end lately: then nothing may be within reach."""
OUTAGE: Final = 3
"""So many documents held up, and none at its end, are taken for an outage."""
MAX_ATTEMPTS: Final = 5
PARSER_FAILED: Final = "parser_failed"


@dataclass(frozen=True, slots=True)
class Ingested:
    """How a document came to its end: `reason` is None where it was indexed.

    `seconds` are those of each stage that it came through, `size` is in bytes.
    """

    document_id: str
    media_type: str
    size: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: int = 0
    reason: str | None = None

    @property
    def outcome(self) -> str:
        """`indexed`, `partial` where not all of it could be read, or `failed`."""
        if self.reason is not None:
            return "failed"
        return "partial" if self.warnings else "indexed"


class Observer(Protocol):
    """What an operator wants to hear of."""

    def ingested(self, one: Ingested) -> None:
        """A document came to its end."""
        ...

    def worked(self, documents: int, seconds: float) -> None:
        """So many documents came to their end in so many seconds of work."""
        ...

    def worker_waits(self, error: RagError) -> None:
        """A dependency is down; the worker will try again."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    """A document that something out of reach holds up."""

    job: Job
    error: Unavailable


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document that was parsed and cut: `texts` are what will be embedded."""

    job: Job
    work: Work
    title: str
    pieces: Sequence[Piece]
    texts: Sequence[str]
    reading: Reading
    watch: Stopwatch
    sketch: Sequence[int]


class Worker:
    """Takes jobs from the queue; several may run, in several processes.

    Of a batch, `parallel` documents are parsed and cut at once.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        queue: Queue,
        parsers: Parsers,
        embedder_of: Callable[[WorkspaceConfig], Embedder],
        observer: Observer,
        arrived: asyncio.Event,
        quarantine: Quarantine,
        *,
        parallel: int = 1,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._queue = queue
        self._parsers = parsers
        self._embedder_of = embedder_of
        self._observer = observer
        self._arrived = arrived
        self._quarantine = quarantine
        self._turns = asyncio.Semaphore(parallel)
        self._name = uuid.uuid4().hex
        self._unusable: set[str] = set()
        self._shares: dict[str, float] = {}
        self._ended_at = -LATER_S

    async def run(self) -> None:
        """Work until cancelled; what is unfinished then goes back to the queue at once."""
        renewing = asyncio.create_task(self._renew(), name="renew claims")
        tried = True
        try:
            while True:
                try:
                    if await self.step():
                        continue
                    if await self._repaired():
                        await self._release(tried=False)
                    else:
                        await self._idle()
                except (Unavailable, Conflict) as error:
                    self._observer.worker_waits(error)
                    await asyncio.sleep(RETRY_S)
                    await self._release(tried=not isinstance(error, Unavailable))
        except asyncio.CancelledError:
            tried = False  # it was not the documents that ended it
            raise
        finally:
            renewing.cancel()
            await self._release(tried=tried)

    async def step(self) -> int:
        """Claim one batch and bring every document of it to its end; how many there were."""
        jobs = await self._queue.claim(self._name, limit=BATCH, seconds=CLAIM_S)
        began, worked = time.monotonic(), 0
        by_workspace: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            by_workspace[job.workspace].append(job)
        for uid, group in by_workspace.items():
            try:
                config = (await self._catalog.workspaces.by_uid(uid)).config
            except NotFound:  # deleted, and its jobs with it
                continue
            if await self._catalog.reindexings.held(uid):
                await self._hold_back(group)
                continue
            try:
                embedder = self._embedder_of(config)
            except Rejected as error:  # its configuration names what this process does not have
                self._observer.worker_waits(error)
                self._unusable.add(uid)  # its jobs stay claimed, out of the way of others
                continue
            await self._work(group, config, embedder)
            worked += len(group)
        self._observer.worked(worked, time.monotonic() - began)
        return len(jobs)

    async def _work(self, jobs: Sequence[Job], config: WorkspaceConfig, embedder: Embedder) -> None:
        """Bring the jobs to their end; those that are slow or held up do not hold up the others.

        Raises:
            Unavailable: when none came to its end: then it is not for what they are.
        """
        held: list[_Held] = []
        tasks = self._preparing(jobs, config, embedder, held)
        try:
            while tasks:
                await asyncio.wait(tasks, timeout=TOGETHER_S)
                done = [task for task in tasks if task.done()]
                tasks = [task for task in tasks if task not in done]
                ready = [one for task in done if (one := task.result())]
                if ready:
                    await self._publish(ready, embedder)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if len(held) < len(jobs) and not tasks:
                self._ended_at = time.monotonic()
            await self._put_off(held)

    async def _hold_back(self, jobs: Sequence[Job]) -> None:
        """Let a re-indexing of their workspace catch up first."""
        for job in jobs:
            await self._queue.postpone(job, seconds=RETRY_S, tried=False)

    async def _put_off(self, held: Sequence[_Held]) -> None:
        """Come back to these later; it is an attempt while others come to their end."""
        tried = time.monotonic() - self._ended_at < LATER_S
        for one in held:
            self._observer.worker_waits(one.error)
            seconds = LATER_S * one.job.attempts if tried else OUTAGE_S
            await self._queue.postpone(one.job, seconds=seconds, tried=tried)

    async def _repaired(self) -> bool:
        """Whether a workspace that could not be worked on can be now."""
        for uid in self._unusable:
            with contextlib.suppress(NotFound, Rejected):
                self._embedder_of((await self._catalog.workspaces.by_uid(uid)).config)
                self._unusable.clear()
                return True
        return False

    def _preparing(
        self,
        jobs: Sequence[Job],
        config: WorkspaceConfig,
        embedder: Embedder,
        held: list[_Held],
    ) -> list[asyncio.Task[_Prepared | None]]:
        """A task for each job: it is ready, has ended, or is `held`.

        One raises `Unavailable` when the first few are held up, or all.
        """
        ended = 0

        async def in_turn(job: Job) -> _Prepared | None:
            nonlocal ended
            async with self._turns:
                found = await self._prepare(job, config, embedder)
            if not isinstance(found, _Held):
                ended += 1
                return found
            held.append(found)
            if not ended and len(held) == min(OUTAGE, len(jobs)):
                raise found.error
            return None

        return [asyncio.create_task(in_turn(job)) for job in jobs]

    async def _prepare(
        self, job: Job, config: WorkspaceConfig, embedder: Embedder
    ) -> _Prepared | _Held | None:
        work = await self._catalog.documents.work(job.document_id, job.version)
        if work is None:
            return None
        watch = Stopwatch(work.document.queued_at or work.document.created_at)
        if job.attempts > MAX_ATTEMPTS:
            await self._give_up(job, work, watch)
            return None
        try:
            async with self._blobs.local(work.blob_key) as file:
                parsed = await self._parsers.parse(
                    file, work.document.media_type, progress=partial(self._advance, job.document_id)
                )
            watch.ended("parsing")
            title, pieces, texts = await cut(parsed, work, config.chunking, embedder)
            likeness = await asyncio.to_thread(sketch, parsed.text)
            watch.ended("chunking")
        except Unavailable as error:
            return _Held(job, error)
        except RagError as error:
            await self._quarantine.consider(work, error)
            await self._queue.fail(job, error.detail, error.code)
            self._failed(work, watch, error.detail)
            return None
        except Exception as error:  # noqa: BLE001  # a parser may fail in any way; only this document does
            reason = f"the parser failed: {type(error).__name__}: {error}"
            await self._queue.fail(job, reason, PARSER_FAILED)
            self._failed(work, watch, reason)
            return None
        return _Prepared(job, work, title, pieces, texts, reading_of(parsed), watch, likeness)

    async def _publish(self, prepared: Sequence[_Prepared], embedder: Embedder) -> None:
        texts = {text_hash(text): text for one in prepared for text in one.texts}
        known = await self._catalog.vectors.known(embedder.digest, list(texts))
        new = [digest for digest in texts if digest not in known]
        began = time.monotonic()
        if new:
            ids = [one.job.document_id for one in prepared]
            await self._catalog.documents.reached(Stage.EMBEDDING, ids)
        for start in range(0, len(new), EMBEDDED):
            part = new[start : start + EMBEDDED]
            vectors = await embedder.embed([texts[digest] for digest in part])
            await self._catalog.vectors.put(embedder.digest, part, vectors)
            for one in prepared:
                self._advance(one.job.document_id, start + len(part), len(new))
        embedding = time.monotonic() - began
        await self._catalog.log.publish(
            [
                Publication(
                    job_id=one.job.id,
                    model=embedder.digest,
                    document_id=one.job.document_id,
                    version=one.job.version,
                    generation=one.work.generation,
                    title=one.title,
                    pieces=one.pieces,
                    hashes=[text_hash(text) for text in one.texts],
                    reading=replace(one.reading, timings=one.watch.timings(embedding=embedding)),
                    sketch=one.sketch,
                )
                for one in prepared
            ]
        )
        for one in prepared:
            if one.work.again:
                await self._quarantine.release(f"{one.job.workspace}/{one.job.document_id}")
            self._observer.ingested(
                Ingested(
                    one.job.document_id,
                    one.work.document.media_type,
                    one.work.document.size,
                    one.watch.timings(embedding=embedding),
                    len(one.reading.warnings),
                )
            )

    async def _give_up(self, job: Job, work: Work, watch: Stopwatch) -> None:
        reason = f"gave up after {MAX_ATTEMPTS} attempts"
        await self._queue.bury(job, reason)
        self._failed(work, watch, reason)

    def _failed(self, work: Work, watch: Stopwatch, reason: str) -> None:
        document, seconds = work.document, watch.timings()
        self._observer.ingested(
            Ingested(document.id, document.media_type, document.size, seconds, reason=reason)
        )

    async def _idle(self) -> None:
        self._arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):  # wait_for can lose a cancellation
                await self._arrived.wait()

    def _advance(self, document_id: str, done: int, total: int) -> None:
        self._shares[document_id] = done / total

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_S / 3)
            try:
                await self._queue.renew(self._name, seconds=CLAIM_S)
                if shares := self._shares:
                    self._shares = {}
                    await self._catalog.documents.advanced(shares)
            except Unavailable as error:
                self._observer.worker_waits(error)

    async def _release(self, *, tried: bool = True) -> None:
        try:
            await self._queue.release(self._name, tried=tried)
        except Unavailable as error:  # the claims end by themselves
            self._observer.worker_waits(error)
