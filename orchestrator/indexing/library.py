"""Every open workspace of this process, and the passages that readers take from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator.domain.documents import Chunk
from orchestrator.domain.errors import Conflict, NotFound, RagError, Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Passage
from orchestrator.domain.workspaces import Workspace
from orchestrator.indexing.projection import Audit
from orchestrator.indexing.shelf import READER_S, SAVE_S, Shelf
from orchestrator.ports.arrays import Ids
from orchestrator.ports.catalog import Catalog

POLL_S: Final = 0.25
RETRY_S: Final = 1.0
REMEMBERED_CHUNKS: Final = 20_000
KEPT_OPEN: Final = 64
"""Beyond so many workspaces, those that nobody asks for are closed: each takes some megabytes."""

Opener = Callable[[Shelf, AsyncExitStack], Awaitable[None]]
"""Opens the projections that a shelf's configuration needs and the shelf does not have yet."""


class Observer(Protocol):
    """What an operator wants to hear of."""

    def dropped(self, workspace: str, chunk_id: int) -> None:
        """A search returned a chunk that its scope must not see: a defect, caught."""
        ...

    def stumbled(self, workspace: str, error: BaseException) -> None:
        """What follows, reopens or closes a workspace in the background met an error."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A workspace as one request sees it, from its first step to its last."""

    workspace: Workspace
    shelf: Shelf
    revision: int

    @property
    def current(self) -> bool:
        """Whether the indexes hold everything there is: only then is an answer worth keeping."""
        return self.revision == self.workspace.revision


@dataclass(slots=True)
class _Open:
    shelf: Shelf
    stack: AsyncExitStack
    configured: int
    follower: asyncio.Task[None] | None = None
    asked_at: float = field(default_factory=time.monotonic)


class Library:
    """Opens workspaces when they are first asked for, and keeps them abreast until closed.

    A shelf that takes the place of another is open before the other lets go, and the other stays
    until its readers are done. `persists` says whether this process may write local indexes now.
    Projections that a later configuration no longer names stay open, so that a rollback is
    instant; they go when the process does.
    """

    def __init__(
        self,
        catalog: Catalog,
        opener: Opener,
        observer: Observer,
        *,
        persists: Callable[[], bool] = lambda: False,
        follow: bool = True,
    ) -> None:
        self._catalog = catalog
        self._opener = opener
        self._observer = observer
        self._persists = persists
        self._follow = follow
        self._open: dict[str, _Open] = {}
        self._opening = asyncio.Lock()
        self._chunks: dict[int, Chunk] = {}
        self._retiring: dict[asyncio.Task[None], _Open] = {}
        self._lookout: asyncio.Task[None] | None = None

    async def pin(self, name: str) -> Moment:
        """The workspace now, at the newest revision that its indexes hold whole.

        Raises:
            NotFound: when there is no such workspace.
        """
        shelf = await self.shelf(name)
        return Moment(shelf.workspace, shelf, shelf.revision)

    async def shelf(self, name: str) -> Shelf:
        """The open shelf of a workspace, fresh and configured as the workspace now is."""
        found = self._open.get(name)
        if found is None:
            async with self._opening:
                found = self._open.get(name) or await self._opened(name)
        found.asked_at = time.monotonic()
        try:
            await found.shelf.fresh()
        except NotFound:
            await self.close_workspace(found.shelf.workspace.uid)
            await self._catalog.workspaces.get(name)
            return await self.shelf(name)
        while found.shelf.workspace.config_version != found.configured:
            async with self._opening:
                found = await self._reconfigured(name)
        return found.shelf

    async def settle(self, name: str) -> None:
        """Return when everything published so far can be found by this process."""
        shelf = await self.shelf(name)
        await shelf.refresh()
        await shelf.catch_up()

    async def audit(self, name: str) -> Mapping[str, Audit]:
        """The indexes of a workspace by name, each held against the catalog."""
        return await (await self.shelf(name)).audit()

    async def read(
        self, shelf: Shelf, candidates: Sequence[Candidate], scope: Scope
    ) -> Sequence[Passage]:
        """The candidates with their text, in order; what the scope may not see is left out."""
        missing = [c.chunk_id for c in candidates if c.chunk_id not in self._chunks]
        if missing:
            self._keep(await self._catalog.chunks.read(missing))
        passages = []
        for candidate in candidates:
            chunk = self._chunks.get(candidate.chunk_id)
            if chunk is not None and shelf.roster.sees(chunk.id, scope):
                passages.append(Passage(chunk, candidate.score, candidate.stages, candidate.shares))
            else:
                self._observer.dropped(scope.workspace, candidate.chunk_id)
        return passages

    async def confirm(self, moment: Moment, passages: Sequence[Passage], scope: Scope) -> None:
        """Check deletion and rights once more, as of now.

        Raises:
            Conflict: when a passage may no longer be shown.
        """
        await moment.shelf.fresh()
        if not all(moment.shelf.roster.sees(p.chunk.id, scope) for p in passages):
            raise Conflict(
                "a source was deleted or withdrawn while it was being quoted: ask again",
                code="source_withdrawn",
                retry_after=0,
            )

    def stalled(self) -> Sequence[str]:
        """The workspaces whose indexes no longer follow the log as it moves."""
        blind = self._lookout is not None and _failed(self._lookout)
        followers = [(name, one.follower) for name, one in self._open.items() if one.follower]
        return [name for name, follower in followers if blind or _failed(follower)]

    async def close_workspace(self, uid: str) -> None:
        """Stop following a deleted workspace, by its uid, and close all its indexes, saved."""
        async with self._opening:
            await self._end_retirement(lambda old: old.workspace.uid == uid)
            names = [name for name, one in self._open.items() if one.shelf.workspace.uid == uid]
            for found in [self._open.pop(name) for name in names]:
                await _close(found)

    async def reopen(self) -> None:
        """Open anew what was opened before this process could persist it.

        What cannot be opened is told, and serves on as it is until the next call.
        """
        for name in list(self._open):
            try:
                async with self._opening:
                    await self._reopened(name)
            except NotFound:  # deleted: whoever asks for it next closes it
                continue
            except (RagError, OSError) as error:
                self._observer.stumbled(name, error)

    async def close(self) -> None:
        """Close every workspace, whichever of them cannot be saved."""
        retiring, still_open = dict(self._retiring), list(self._open.values())
        self._open.clear()
        if self._lookout:
            self._lookout.cancel()
            await asyncio.gather(self._lookout, return_exceptions=True)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
        async with AsyncExitStack() as stack:
            for one in [*retiring.values(), *still_open]:
                stack.push_async_callback(_close, one)

    async def _reconfigured(self, name: str) -> _Open:
        found = self._open.get(name)
        if found is None:  # closed meanwhile
            return await self._opened(name)
        workspace = found.shelf.workspace
        if found.shelf.generation != workspace.config.generation:
            return await self._opened(name)
        if found.configured != workspace.config_version:
            await self._opener(found.shelf, found.stack)
            await self._catch_up(found.shelf)
            found.configured = workspace.config_version
        return found

    async def _catch_up(self, shelf: Shelf) -> None:
        """An index that does not answer keeps nobody waiting: it catches up when it does."""
        try:
            await shelf.catch_up()
        except Unavailable as error:
            self._observer.stumbled(shelf.workspace.name, error)

    async def _reopened(self, name: str) -> None:
        found = self._open.get(name)
        if found and self._persists() and not found.shelf.persists:
            await self._opened(name)

    async def _opened(self, name: str) -> _Open:
        workspace = await self._catalog.workspaces.get(name)
        await self._end_retirement(
            lambda old: (
                old.persists
                and old.workspace.uid == workspace.uid
                and old.generation == workspace.config.generation  # which has one writer
            )
        )
        shelf = Shelf(self._catalog, workspace, on_gone=self._drop, persists=self._persists())
        async with AsyncExitStack() as stack:
            await shelf.refresh()
            await self._opener(shelf, stack)
            await self._catch_up(shelf)
            opened = _Open(shelf, stack.pop_all(), workspace.config_version)
        if self._follow:
            opened.follower = asyncio.create_task(self._following(shelf), name=f"follow {name}")
            if self._lookout is None or self._lookout.done():
                self._lookout = asyncio.create_task(self._look_out(), name="look out")
        if replaced := self._open.get(name):
            self._retire_later(replaced)
        self._open[name] = opened
        return opened

    def _retire_later(self, old: _Open) -> None:
        retiring = asyncio.create_task(self._retire(old))
        self._retiring[retiring] = old
        retiring.add_done_callback(self._retiring.pop)

    async def _retire(self, old: _Open) -> None:
        await asyncio.sleep(READER_S)
        try:
            await _close(old)
        except (RagError, OSError) as error:
            self._observer.stumbled(old.shelf.workspace.name, error)

    async def _end_retirement(self, which: Callable[[Shelf], bool]) -> None:
        for task, old in list(self._retiring.items()):
            if which(old.shelf):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await _close(old)

    async def _look_out(self) -> None:
        """One read for all workspaces, however many, wakes the followers of those that moved."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                now = await self._catalog.workspaces.revisions()
            except RagError as error:
                self._observer.stumbled("every one", error)
                await asyncio.sleep(RETRY_S)
                continue
            for one in self._open.values():
                if now.get(one.shelf.workspace.uid) != one.shelf.revision:
                    one.shelf.wake()
            self._retire_idle()

    def _retire_idle(self) -> None:
        """Close what is beyond the number kept, unless it may still have readers."""
        longest_ago = sorted(self._open, key=lambda name: self._open[name].asked_at)
        for name in longest_ago[: max(0, len(self._open) - KEPT_OPEN)]:
            if self._open[name].asked_at < time.monotonic() - READER_S:
                self._retire_later(self._open.pop(name))

    async def _following(self, shelf: Shelf) -> None:
        name = shelf.workspace.name
        while True:
            try:
                await shelf.follow(poll_s=SAVE_S)
            except NotFound:
                return
            except (RagError, OSError) as error:
                self._observer.stumbled(name, error)
                await asyncio.sleep(RETRY_S)

    def _keep(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self._chunks[chunk.id] = chunk
        while len(self._chunks) > REMEMBERED_CHUNKS:
            del self._chunks[next(iter(self._chunks))]

    def _drop(self, ids: Ids) -> None:
        for chunk_id in ids.tolist():
            self._chunks.pop(chunk_id, None)


def _failed(follower: asyncio.Task[None]) -> bool:
    """Whether it ended for another reason than that its workspace was deleted."""
    return follower.done() and (follower.cancelled() or follower.exception() is not None)


async def _close(opened: _Open) -> None:
    if opened.follower:
        opened.follower.cancel()
        await asyncio.gather(opened.follower, return_exceptions=True)
    try:
        await opened.shelf.close()
    finally:
        await opened.stack.aclose()
