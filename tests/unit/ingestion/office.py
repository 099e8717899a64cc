"""A worker's surroundings in memory: jobs, blobs, documents, vectors and a log."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from adapters.embedder.mock import MockEmbedder
from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import Document, Status
from orchestrator.domain.errors import NotFound, RagError
from orchestrator.ingestion.quarantine import Quarantine
from orchestrator.ingestion.worker import Worker
from orchestrator.ports.catalog import Work
from orchestrator.ports.queue import GAVE_UP, Job
from tests.unit.fakes import NOW, FakeCatalog, Watcher, workspace


def document(document_id: str = "d1", **values: Any) -> Document:
    """A document that waits to be indexed."""
    known = {
        "workspace": "uid of default",
        "source_id": f"{document_id}.txt",
        "title": "",
        "media_type": "text/plain",
        "size": 9,
        "content_hash": "c0ffee",
        "metadata": {},
        "acl": frozenset({"everyone"}),
        "status": Status.QUEUED,
        "version": 1,
        "chunks": 0,
        "revision": 0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Document(id=document_id, **{**known, **values})


def work(document_id: str = "d1", **values: Any) -> Work:
    """What is to be done for it."""
    return Work(document(document_id, **values), "", f"blob of {document_id}", 1)


class Embedder(MockEmbedder):
    """The mock, and what it was asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    async def embed(self, texts: Any) -> Any:
        self.batches.append(list(texts))
        return await super().embed(texts)


class Store:
    """A blob store in a dict."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def put(self, key: str, content: Any) -> None:
        self.files[key] = content.read()

    async def purge(self, prefix: str) -> None:
        self.files = {k: v for k, v in self.files.items() if not k.startswith(f"{prefix}/")}


class Office:
    """Everything that a worker is handed, and what it did with it.

    `down` is raised by what it names: `claim`, `get`, `publish`, `renew` or `release`;
    `lost` by the blob of that key.
    """

    def __init__(self, parsers: Any = None, *, parallel: int = 1) -> None:
        self.catalog = FakeCatalog(workspace("default"), workspace("legal"))
        self.embedder = Embedder()
        self.watcher = Watcher()
        self.jobs: list[Job] = []
        self.works: dict[str, Work] = {}
        self.stored: dict[str, bytes] = {}
        self.table: dict[bytes, Any] = {}
        self.published: list[list[Any]] = []
        self.failed: dict[str, str] = {}
        self.codes: dict[str, str] = {}
        self.postponed: dict[str, tuple[float, bool]] = {}
        self.later: list[Job] = []
        self.calls: list[str] = []
        self.stages: list[tuple[Any, list[str]]] = []
        self.shares: list[dict[str, float]] = []
        self.down: dict[str, RagError] = {}
        self.lost: dict[str, RagError] = {}
        self.arrived = asyncio.Event()
        catalog: Any = type("Catalog", (), {})()
        catalog.workspaces = catalog.reindexings = self.catalog
        catalog.documents = catalog.vectors = catalog.log = self
        self.quarantined = Store()
        self.worker = Worker(
            catalog,
            self,  # type: ignore[arg-type]  # the blobs
            self,  # type: ignore[arg-type]  # the queue
            parsers or ParserRegistry(),
            lambda _: self.embedder,
            self.watcher,
            self.arrived,
            Quarantine(self.quarantined, self, self),  # type: ignore[arg-type]  # blobs, documents
            parallel=parallel,
        )

    def hand_in(
        self,
        document_id: str,
        content: bytes,
        *,
        workspace: str = "uid of default",
        attempts: int = 1,
        **values: Any,
    ) -> None:
        """A document waits, with its bytes in the store."""
        self.works[document_id] = work(document_id, workspace=workspace, **values)
        self.stored[f"blob of {document_id}"] = content
        self.jobs.append(Job(len(self.jobs) + 1, workspace, document_id, 1, attempts))

    def _asked(self, what: str) -> None:
        self.calls.append(what)
        if what in self.down:
            raise self.down[what]

    # the queue

    async def claim(self, worker: str, *, limit: int, seconds: float) -> list[Job]:
        self._asked("claim")
        if not self.jobs:  # time flies
            self.jobs, self.later = self.later, []
        taken, self.jobs = self.jobs[:limit], self.jobs[limit:]
        self.claimed = [*getattr(self, "claimed", []), *taken]
        return taken

    async def renew(self, worker: str, *, seconds: float) -> None:
        self._asked("renew")

    async def release(self, worker: str, *, tried: bool = True) -> None:
        self._asked("release")
        ended = {one.job_id for batch in self.published for one in batch}
        back = [
            replace(job, attempts=job.attempts + 1) if tried else job
            for job in getattr(self, "claimed", [])
            if job.id not in ended and job.document_id not in self.failed
        ]
        self.claimed, self.jobs = [], [*back, *self.jobs]

    async def postpone(self, job: Job, *, seconds: float, tried: bool) -> None:
        self._asked("postpone")
        self.postponed[job.document_id] = (seconds, tried)
        self.claimed = [one for one in self.claimed if one.id != job.id]
        self.later.append(job if not tried else replace(job, attempts=job.attempts + 1))

    async def fail(self, job: Job, reason: str, code: str) -> None:
        self._asked("fail")
        self.failed[job.document_id] = reason
        self.codes[job.document_id] = code

    async def bury(self, job: Job, reason: str) -> None:
        self._asked("bury")
        self.failed[job.document_id] = reason
        self.codes[job.document_id] = GAVE_UP

    # documents, blobs, vectors, log

    async def work(self, document_id: str, version: int) -> Work | None:
        return self.works.get(document_id)

    async def reached(self, stage: Any, ids: Any) -> None:
        self.stages.append((stage, list(ids)))

    async def advanced(self, shares: Any) -> None:
        self.shares.append(dict(shares))

    @asynccontextmanager
    async def local(self, key: str) -> Any:
        self._asked("get")
        if key in self.lost:
            raise self.lost[key]
        if key not in self.stored:
            raise NotFound(f"no blob is stored under '{key}'")
        with NamedTemporaryFile() as file:
            file.write(self.stored[key])
            file.flush()
            yield Path(file.name)

    async def known(self, model: str, hashes: Any) -> frozenset[bytes]:
        return frozenset(self.table) & frozenset(hashes)

    async def put(self, model: str, hashes: Any, vectors: Any) -> None:
        self._asked("put")
        self.table.update(zip(hashes, vectors, strict=True))

    async def publish(self, publications: Any) -> None:
        self._asked("publish")
        self.published.append(list(publications))
