"""Handing documents in, and following them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from orchestrator.domain.documents import Document, Stage, Status, Upload
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.identity import ANONYMOUS, Principal
from orchestrator.domain.quotas import UNLIMITED, Quota
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig, workspace_name
from orchestrator.indexing.library import Library
from orchestrator.ingestion.pace import Pace
from orchestrator.ingestion.reception import Fate, Reception
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import EVERYTHING, Catalog, Registered, Wanted
from orchestrator.ports.parser import Parsers

SETTLE_S: Final = 2.0
FOLLOW_S: Final = 0.1
FOLLOWED: Final = 500


class Ingestion:
    """The use cases of whoever keeps documents.

    A document's id, once known, is enough to follow and to delete it, even where its ACL hides its
    text: until callers are authenticated, an id that nobody can guess is the right to manage.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        parsers: Parsers,
        library: Library,
        *,
        max_bytes: int,
        pace: Pace | None = None,
        quota_of: Callable[[str], Quota] = lambda _: UNLIMITED,
    ) -> None:
        self._catalog = catalog
        self._reception = Reception(catalog, blobs, parsers, max_bytes=max_bytes, quota_of=quota_of)
        self._library = library
        self._pace = pace or Pace()
        self.arrived = asyncio.Event()

    async def submit(
        self, workspace: str, upload: Upload, *, quota: Quota | None = None
    ) -> Registered:
        """Store the bytes and queue the document; what this returns is never lost.

        The quota is the workspace's, unless one is given.

        Raises:
            NotFound: for an unknown workspace.
            TooLarge, Unsupported: for content that this service does not take.
            Exhausted: when the workspace would hold more than its quota.
        """
        (fate,) = await self._reception.take(workspace, [upload], quota=quota)
        if not isinstance(fate, Registered):
            raise fate
        self.arrived.set()
        return fate

    async def submit_all(self, workspace: str, uploads: Sequence[Upload]) -> Sequence[Fate]:
        """The same for several, of distinct source ids, together: each with its own fate.

        Raises:
            NotFound: for an unknown workspace.
        """
        fates = await self._reception.take(workspace, uploads)
        self.arrived.set()
        return fates

    async def document(self, document_id: str) -> Document:
        """A document's state; `indexed` means that a search by this process finds it now."""
        document = await self._catalog.documents.get(document_id)
        if document.status is Status.INDEXED and not await self._findable(document):
            return replace(document, status=Status.PROCESSING, stage=Stage.INDEXING)
        return document

    async def processing_time(self) -> float:
        """The seconds until all that waits now is done: the queue's length at the recent rate."""
        return self._pace.estimate(await self._catalog.documents.waiting())

    async def follow(self, ids: Iterable[str]) -> AsyncIterator[tuple[str, str | None]]:
        """Each document as it comes to its end, with the reason if it failed."""
        waiting = list(ids)
        while waiting:
            ended = await self._catalog.documents.outcomes(waiting[:FOLLOWED])
            for document_id, error in ended.items():
                yield document_id, error
            if ended:
                waiting = [one for one in waiting if one not in ended]
            else:
                await asyncio.sleep(FOLLOW_S)

    async def documents(
        self,
        workspace: str,
        *,
        principal: Principal = ANONYMOUS,
        after: str | None,
        limit: int,
        wanted: Wanted = EVERYTHING,
    ) -> Sequence[Document]:
        """A page of the documents wanted that the principal may see."""
        found = await self._catalog.workspaces.get(workspace)
        return await self._catalog.documents.list(
            found.uid, principal=principal, after=after, limit=limit, wanted=wanted
        )

    async def create_workspace(self, name: str, config: WorkspaceConfig) -> Workspace:
        """A new workspace.

        Raises:
            Rejected: for a name that is none.
            Conflict: for a name that is taken.
        """
        return await self._catalog.workspaces.create(workspace_name(name), config)

    async def ensure_workspace(self, name: str, config: WorkspaceConfig) -> Workspace:
        """The workspace of that name, created if there is none."""
        try:
            return await self._catalog.workspaces.get(name)
        except NotFound:
            return await self.create_workspace(name, config)

    async def _findable(self, document: Document) -> bool:
        try:
            workspace = await self._catalog.workspaces.by_uid(document.workspace)
            with contextlib.suppress(Unavailable):  # by what is up it can be found
                async with asyncio.timeout(SETTLE_S):
                    await self._library.settle(workspace.name)
        except TimeoutError:
            return False
        except NotFound:  # deleted meanwhile
            return False
        return (await self._library.shelf(workspace.name)).revision >= document.revision
