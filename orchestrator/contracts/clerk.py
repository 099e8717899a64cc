"""Does to a catalog what ingestion does: hands in documents, and publishes their chunks."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence

import numpy as np

from orchestrator.contracts.specimens import upload
from orchestrator.domain.documents import Document, Piece, Reading, text_hash
from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import EVERYONE
from orchestrator.domain.likeness import sketch
from orchestrator.domain.quotas import UNLIMITED, Quota
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig
from orchestrator.ports.arrays import Vector, Vectors
from orchestrator.ports.catalog import Arrival, Catalog, Delta, Publication, Registered
from orchestrator.ports.queue import Job, Queue

MODEL = "0f3a5c7e"
CLAIM_S = 60.0
NOTHING_READ = Reading()


class Clerk:
    """One workspace's documents, in a catalog and its queue."""

    def __init__(self, catalog: Catalog, queue: Queue, workspace: Workspace) -> None:
        self.catalog = catalog
        self.queue = queue
        self.uid = workspace.uid
        self.name = workspace.name
        self._worker = f"clerk of {workspace.uid}"

    @classmethod
    async def of(cls, catalog: Catalog, queue: Queue, name: str = "policies") -> Clerk:
        """The clerk of a new workspace."""
        return cls(catalog, queue, await catalog.workspaces.create(name, WorkspaceConfig()))

    async def hand_in(
        self,
        content: str = "Refunds are paid.",
        *,
        source_id: str = "refunds.txt",
        title: str | None = "Refund policy",
        metadata: Metadata | None = None,
        acl: Iterable[str] = (EVERYONE,),
        document_id: str = "",
    ) -> Registered:
        """Register an upload, as a document of that id if any; it waits in the queue."""
        known = await self.find(source_id)
        arrival = self.arrival(
            content,
            source_id=source_id,
            title=title,
            metadata=metadata,
            acl=acl,
            document_id=document_id,
            known=known,
        )
        return await self.register(arrival)

    async def hand_in_many(self, count: int) -> list[str]:
        """That many uploads; their documents' ids."""
        return [
            (await self.hand_in(source_id=f"{number}.txt")).document.id for number in range(count)
        ]

    async def find(self, source_id: str) -> Document | None:
        """The live document of that source id."""
        return (await self.catalog.documents.known(self.uid, [source_id])).get(source_id)

    async def register(self, arrival: Arrival, *, quota: Quota = UNLIMITED) -> Registered:
        """Register one arrival; its error, if that is its fate, is raised."""
        (fate,) = await self.catalog.documents.register(self.uid, [arrival], quota=quota)
        if isinstance(fate, Registered):
            return fate
        raise fate

    def arrival(
        self,
        content: str,
        *,
        source_id: str = "refunds.txt",
        title: str | None = "Refund policy",
        metadata: Metadata | None = None,
        acl: Iterable[str] = (EVERYONE,),
        document_id: str = "",
        known: Document | None = None,
    ) -> Arrival:
        """What would be registered: as a document of that id if any, else as the known one's."""
        data = content.encode()
        document_id = document_id or (known.id if known else uuid.uuid4().hex)
        digest = hashlib.sha256(data).hexdigest()
        given = upload(
            data, source_id=source_id, title=title, metadata=metadata, acl=frozenset(acl)
        )
        key = f"{self.uid}/{document_id}/{digest}"
        return Arrival(given, document_id, "text/plain", len(data), digest, key)

    async def claim(self) -> Job:
        """The oldest job that is free."""
        await self.queue.dispatch()
        (job,) = await self.queue.claim(self._worker, limit=1, seconds=CLAIM_S)
        return job

    async def publication(
        self,
        job: Job,
        *texts: str,
        title: str = "Refund policy",
        generation: int = 1,
        reading: Reading = NOTHING_READ,
    ) -> Publication:
        """What the job publishes: these chunks, their vectors stored already."""
        pieces = in_pieces(texts)
        hashes = [text_hash(piece.embedded(title)) for piece in pieces]
        await self.catalog.vectors.put(MODEL, hashes, vectors_of(hashes))
        return Publication(
            job_id=job.id,
            model=MODEL,
            document_id=job.document_id,
            version=job.version,
            generation=generation,
            title=title,
            pieces=pieces,
            hashes=hashes,
            reading=reading,
            sketch=sketch("\n\n".join(texts)),
        )

    async def publish(
        self,
        *texts: str,
        title: str = "Refund policy",
        generation: int = 1,
        reading: Reading = NOTHING_READ,
    ) -> Document:
        """Take the oldest job to its end, with these chunks; its document."""
        job = await self.claim()
        publication = await self.publication(
            job, *texts, title=title, generation=generation, reading=reading
        )
        await self.catalog.log.publish([publication])
        return await self.catalog.documents.get(job.document_id)

    async def keep(
        self,
        *texts: str,
        source_id: str = "refunds.txt",
        title: str = "Refund policy",
        metadata: Metadata | None = None,
        acl: Iterable[str] = (EVERYONE,),
    ) -> Document:
        """Hand in a document or its next version, and publish it with these chunks, if new."""
        registered = await self.hand_in(
            "\n".join(texts), source_id=source_id, title=title, metadata=metadata, acl=acl
        )
        if registered.duplicate:
            return registered.document
        return await self.publish(*texts, title=title)

    async def since(self, revision: int) -> Delta:
        """What changed after the revision."""
        return await self.catalog.log.since(self.uid, revision)

    async def revision(self) -> int:
        """The workspace's revision."""
        return (await self.catalog.workspaces.by_uid(self.uid)).revision

    async def chunk_ids(self) -> list[int]:
        """The chunks that readers see now."""
        return [row.chunk_id for row in (await self.since(0)).rows if row.removed is None]


def in_pieces(texts: Sequence[str]) -> list[Piece]:
    """The texts as one document's pieces, on one page, parted by an empty line."""
    pieces, at = [], 0
    for text in texts:
        pieces.append(Piece(text, at, at + len(text), "Delays", 3))
        at += len(text) + 2
    return pieces


def vector_of(key: bytes) -> Vector:
    """A unit vector that is the text's own."""
    raw = np.frombuffer(key, np.uint8).astype(np.float32) + np.float32(1)
    vector: Vector = raw / np.linalg.norm(raw)
    return vector


def vectors_of(hashes: Sequence[bytes]) -> Vectors:
    """The vectors of these texts, of 16 dimensions."""
    if not hashes:
        return np.empty((0, 16), np.float32)
    return np.stack([vector_of(key) for key in hashes])
