"""Files that brought a parser down or hold what is harmful, put aside for an operator."""

from __future__ import annotations

import contextlib
import json
from io import BytesIO
from typing import Final

from orchestrator.domain.errors import NotFound, RagError
from orchestrator.ingestion.scanning import INFECTED
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Documents, Work
from orchestrator.ports.parser import HARMFUL

KEPT: Final = HARMFUL | {INFECTED}
"""The codes of what is put aside."""


class Quarantine:
    """A copy of each such file in `store`, with a note beside it, by workspace and document."""

    def __init__(self, store: BlobStore, blobs: BlobStore, documents: Documents) -> None:
        self._store = store
        self._blobs = blobs
        self._documents = documents

    async def consider(self, work: Work, error: RagError) -> None:
        """Keep the file, if it failed in one of those ways, and is not deleted yet."""
        if error.code not in KEPT:
            return
        document = work.document
        key = f"{document.workspace}/{document.id}/{document.content_hash}"
        with contextlib.suppress(NotFound):  # deleted already
            async with self._blobs.local(work.blob_key) as file:
                with file.open("rb") as content:
                    await self._store.put(key, content)
        await self._store.put(f"{key}.json", BytesIO(_note(work, error)))
        if await self._documents.work(document.id, document.version) is None:
            await self.release(f"{document.workspace}/{document.id}")

    async def release(self, prefix: str) -> None:
        """Erase what is kept of a document that could be read or was deleted, or of a workspace."""
        await self._store.purge(prefix)


def _note(work: Work, error: RagError) -> bytes:
    document = work.document
    note = {
        "document_id": document.id,
        "source_id": document.source_id,
        "version": document.version,
        "media_type": document.media_type,
        "code": error.code,
        "reason": error.detail,
    }
    return json.dumps(note, indent=2).encode()
