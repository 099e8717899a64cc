"""What is kept of one document: its versions, chunks and original, and what may be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import BinaryIO, Final

from orchestrator.domain.documents import Chunk, Document, Version
from orchestrator.domain.errors import NotFound
from orchestrator.domain.identity import Principal
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Catalog

ALIKE: Final = 10


class Records:
    """The use cases of whoever looks after one document.

    Text and bytes go only to who may see the document now: to others, there is none. Whoever
    knows its id may work on it again, and hold it.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, arrived: asyncio.Event) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._arrived = arrived

    async def versions(
        self, document_id: str, *, principal: Principal, before: int | None, limit: int
    ) -> Sequence[Version]:
        """A page of the document's versions, newest first."""
        found = await self._catalog.versions.list(document_id, before=before, limit=limit)
        await self._seen(document_id, principal)
        return found

    async def chunks(
        self, document_id: str, *, principal: Principal, after: int, limit: int
    ) -> Sequence[Chunk]:
        """A page of the chunks that readers see now, in order."""
        document = await self._seen(document_id, principal)
        workspace = await self._catalog.workspaces.by_uid(document.workspace)
        found = await self._catalog.chunks.of(
            document_id, generation=workspace.config.generation, after=after, limit=limit
        )
        await self._seen(document_id, principal)  # rights may have changed while it was read
        return found

    @asynccontextmanager
    async def original(
        self, document_id: str, *, principal: Principal, number: int | None
    ) -> AsyncIterator[tuple[Document, Version, BinaryIO]]:
        """The bytes of a version, of the newest one by default, open for as long as the block runs.

        Raises:
            NotFound: when there is none, or none that the principal may see.
        """
        document = await self._seen(document_id, principal)
        version = await self._catalog.versions.get(document_id, number or document.version)
        async with self._blobs.local(version.blob_key) as path:
            try:
                file = await asyncio.to_thread(path.open, "rb")
            except FileNotFoundError as error:  # deleted meanwhile
                raise _unknown(document_id) from error
            with file:
                await self._seen(document_id, principal)
                yield document, version, file

    async def alike(self, document: Document, *, principal: Principal) -> Sequence[str]:
        """Documents of nearly the same text, to who may see both; at most ten."""
        if not document.seen_by(principal):
            return []
        return await self._catalog.documents.alike(document.id, principal=principal, limit=ALIKE)

    async def reprocess(self, document_id: str) -> Document:
        """Queue the newest version again; readers see its old chunks until the new ones are there.

        Raises:
            NotFound: when there is no such live document.
        """
        document = await self._catalog.versions.requeue(document_id)
        self._arrived.set()
        return document

    async def hold(self, document_id: str, reason: str | None) -> Document:
        """Put the document under legal hold, or with no reason release it.

        Raises:
            NotFound: when there is no such live document.
        """
        return await self._catalog.deletions.hold(document_id, reason)

    async def _seen(self, document_id: str, principal: Principal) -> Document:
        document = await self._catalog.documents.get(document_id)
        if not document.seen_by(principal):
            raise _unknown(document_id)
        return document


def _unknown(document_id: str) -> NotFound:
    return NotFound(f"there is no document '{document_id}'", code="unknown_document")
