"""Erasing what a deletion left in stores other than the catalog, until every one is clean."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from orchestrator.domain.documents import Receipt
from orchestrator.domain.errors import NotFound, RagError, Unavailable
from orchestrator.indexing.library import Library
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.cache import Cache
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.indexes import KeywordStore, VectorStore

PURGED: Final = "purged"
SUPERSEDED_S: Final = 600.0
"""Longer than any reader can be pinned to a revision."""


class Purger:
    """Purges; a store that is down stays `pending` in the receipt, and is tried again later.

    `persists` says whether this process holds the lease on local indexes: only then can it
    promise that nothing is left of the document on disk.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: Sequence[BlobStore],
        caches: Sequence[Cache],
        stores: Sequence[VectorStore | KeywordStore],
        library: Library,
        *,
        persists: Callable[[], bool],
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._caches = caches
        self._stores = stores
        self._library = library
        self._persists = persists

    async def document(self, workspace: str, receipt: Receipt) -> Receipt:
        """Purge one document from the stores where it is pending; the receipt as it is then."""
        (purged,) = await self.several(workspace, [receipt])
        return purged

    async def several(self, workspace: str, receipts: Sequence[Receipt]) -> Sequence[Receipt]:
        """The same for several of one workspace: what they share is purged once."""
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "cache": lambda: self._purge_caches(workspace),
            "vectors": lambda: self._purge_indexes(workspace),
            "keywords": lambda: self._purge_indexes(workspace),
        }
        shared = {
            store: await _attempt(step)
            for store, step in steps.items()
            if any(one.stores.get(store) != PURGED for one in receipts)
        }
        return [await self._recorded(workspace, one, shared) for one in receipts]

    async def _recorded(
        self, workspace: str, receipt: Receipt, shared: Mapping[str, str]
    ) -> Receipt:
        states = {**shared}
        if receipt.stores.get("blobs") != PURGED:
            prefix = f"{workspace}/{receipt.document_id}"
            states["blobs"] = await _attempt(lambda: self._purge_files(prefix))
        pending = {
            store: state for store, state in states.items() if receipt.stores.get(store) != PURGED
        }
        return await self._catalog.deletions.record(receipt.document_id, pending)

    async def workspace(self, uid: str) -> bool:
        """Purge a deleted workspace; its last rows go once all else has gone."""
        states = [await _attempt(lambda: self._library.close_workspace(uid))]
        states.append(await _attempt(lambda: self._purge_caches(uid)))
        states.append(await _attempt(lambda: self._purge_files(uid)))
        if not self._persists():
            return False
        states += [await _attempt(partial(store.drop, uid)) for store in self._stores]
        if all(state == PURGED for state in states):
            await self._catalog.deletions.erase(uid)
            return True
        return False

    async def pending(self) -> None:
        """Try again what is still pending, and sweep what was superseded long ago."""
        left = await self._catalog.deletions.unpurged()
        by_workspace: dict[str, list[Receipt]] = defaultdict(list)
        for workspace, receipt in left.receipts:
            by_workspace[workspace].append(receipt)
        for workspace, receipts in by_workspace.items():
            with contextlib.suppress(NotFound):  # erased meanwhile, with the workspace
                await self.several(workspace, receipts)
        for uid in left.workspaces:
            await self.workspace(uid)
        await self._catalog.log.sweep(seconds=SUPERSEDED_S)

    async def _purge_files(self, prefix: str) -> None:
        for store in self._blobs:
            await store.purge(prefix)

    async def _purge_caches(self, workspace: str) -> None:
        for cache in self._caches:
            await cache.purge(workspace)

    async def _purge_indexes(self, workspace: str) -> None:
        if self._persists():
            found = await self._catalog.workspaces.by_uid(workspace)
            if one := await self._catalog.reindexings.of(workspace):
                await self._library.prepare(found.name, one)  # open, it is purged and not pruned
            await self._library.settle(found.name)
            shelf = await self._library.shelf(found.name)
            if shelf.persists:
                await shelf.save()
                for store in self._stores:  # an earlier configuration's may hold the text too
                    await store.prune(workspace)
                return
        raise Unavailable("indexes", "the process that holds the lease will purge them")


async def _attempt(step: Callable[[], Awaitable[None]]) -> str:
    try:
        await step()
    except (RagError, OSError) as error:
        return f"pending: {error}"
    return PURGED
