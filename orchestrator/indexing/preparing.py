"""What a process that answers does for re-indexings: prepares, verifies, switches, lets go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Protocol

from orchestrator.domain.errors import NotFound, RagError
from orchestrator.domain.reindexing import Reindexing, State
from orchestrator.domain.workspaces import Footing, WorkspaceConfig
from orchestrator.indexing.library import Library, Observer
from orchestrator.indexing.shelf import READER_S, Shelf
from orchestrator.indexing.verifying import fault_of
from orchestrator.ports.catalog import Catalog

EVERY_S: Final = 0.5
REST: Final = 4
"""After a round it rests for so many times as long as that took."""


class Prunable(Protocol):
    """A store whose folders of no more use can be erased."""

    async def prune(self, workspace: str) -> None:
        """Erase what is stored of the workspace's indexes that are not open."""
        ...


class Preparer:
    """Runs in every process that answers, until cancelled.

    Each prepares and verifies its own indexes before it reads from them. The first that has done
    so marks the re-indexing as verified, and switches if it is to switch by itself.
    """

    def __init__(
        self,
        catalog: Catalog,
        library: Library,
        roles_of: Callable[[WorkspaceConfig], Collection[str]],
        stores: Sequence[Prunable],
        observer: Observer,
        *,
        persists: Callable[[], bool],
    ) -> None:
        self._catalog = catalog
        self._library = library
        self._roles_of = roles_of
        self._stores = stores
        self._observer = observer
        self._persists = persists

    async def run(self) -> None:
        """One round, and a pause, for ever; large workspaces are looked at less often."""
        while True:
            began = time.monotonic()
            try:
                await self.round()
            except (RagError, OSError) as error:
                self._observer.stumbled("every one", error)
            await asyncio.sleep(max(EVERY_S, REST * (time.monotonic() - began)))

    async def round(self) -> None:
        """Take every open re-indexing a step further, and clear away after the ended ones."""
        opened = {one.workspace: one for one in await self._catalog.reindexings.open()}
        for uid, one in opened.items():
            await self._try(uid, self._further(one))
        due = {one.workspace: one for one in await self._due()}
        for uid, name in self._library.preparing().items():
            if uid not in opened:
                await self._try(uid, self._let_go(uid, name, due))
        if self._persists():
            for uid, one in due.items():
                if not self._library.is_retiring(uid):
                    await self._try(uid, self._erase(one))

    async def _try(self, workspace: str, step: Awaitable[None]) -> None:
        """One workspace that cannot be helped now does not keep the others waiting."""
        try:
            await step
        except NotFound:  # deleted meanwhile
            return
        except (RagError, OSError) as error:
            self._observer.stumbled(workspace, error)

    async def _further(self, one: Reindexing) -> None:
        name = (await self._catalog.workspaces.by_uid(one.workspace)).name
        shelf, footing = await self._library.prepare(name, one)
        if not self._library.is_ready(shelf, footing):
            if not await self._prepared(one, shelf, footing):
                return
            self._library.make_ready(shelf, footing)
        if one.state is State.BUILDING and footing == one.after:
            await self._catalog.reindexings.settle(one, State.VERIFIED)
        elif one.state is State.VERIFIED and one.automatic:
            await self._catalog.reindexings.switch(one)

    async def _prepared(self, one: Reindexing, shelf: Shelf, footing: Footing) -> bool:
        now = await self._catalog.reindexings.latest(one.workspace)
        if now is None or now.id != one.id or (now.behind and footing == now.beside):
            await self._tell(one, shelf)
            return False
        await shelf.refresh()
        await shelf.catch_up()
        if not shelf.prepared:
            await self._tell(one, shelf)
            return False
        config = shelf.workspace.config.on(footing)
        fault = await fault_of(shelf, self._roles_of(config))
        if fault and one.state is State.BUILDING:
            await self._catalog.reindexings.settle(one, State.FAILED, reason=fault)
        elif fault:
            self._observer.stumbled(shelf.workspace.name, ValueError(fault))
        return fault is None

    async def _tell(self, one: Reindexing, shelf: Shelf) -> None:
        share = round(shelf.share(), 2)
        if one.state is State.BUILDING and share != one.share:
            await self._catalog.reindexings.advanced(one, share)

    async def _due(self) -> Sequence[Reindexing]:
        return await self._catalog.reindexings.unerased(seconds=READER_S)

    async def _let_go(self, uid: str, name: str, due: Collection[str]) -> None:
        """Close what nobody reads any more of a workspace, if its re-indexing has ended."""
        if await self._ended(uid, due):
            await self._library.let_go(name, self._roles_of)
            if self._persists():
                await self._prune(uid)

    async def _ended(self, uid: str, due: Collection[str]) -> bool:
        if uid in due:
            return True
        last = await self._catalog.reindexings.latest(uid)
        return last is None or last.erased_at is not None

    async def _erase(self, one: Reindexing) -> None:
        while await self._catalog.reindexings.erase(one):
            continue
        await self._prune(one.workspace)
        await self._catalog.reindexings.erased(one)

    async def _prune(self, workspace: str) -> None:
        for store in self._stores:
            await store.prune(workspace)
