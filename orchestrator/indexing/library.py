"""Every open workspace of this process, and the passages that readers take from them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from orchestrator.domain.documents import Chunk
from orchestrator.domain.errors import Conflict, NotFound, RagError, Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Passage
from orchestrator.domain.reindexing import Reindexing
from orchestrator.domain.workspaces import Footing, Workspace, WorkspaceConfig
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
    config: WorkspaceConfig
    postponed: int = 0
    follower: asyncio.Task[None] | None = None
    asked_at: float = field(default_factory=time.monotonic)


class Library:
    """Opens workspaces when they are first asked for, and keeps them abreast until closed.

    A shelf that takes the place of another is open before the other lets go, and the other stays
    until its readers are done. `persists` says whether this process may write local indexes now.
    Projections that a later configuration no longer names stay open, so that a rollback is
    instant; they go when the process does.

    While a workspace is re-indexed, the footing that does not serve is kept open beside the one
    that does. After a switch, a process that has not prepared the new one reads on from the old.
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
        self._beside: dict[str, _Open] = {}
        self._ready: dict[str, set[Footing]] = {}
        self._opening = asyncio.Lock()
        self._chunks: dict[int, Chunk] = {}
        self._retiring: dict[asyncio.Task[None], _Open] = {}
        self._lookout: asyncio.Task[None] | None = None

    async def pin(self, name: str) -> Moment:
        """The workspace now, at the newest revision that its indexes hold whole.

        Raises:
            NotFound: when there is no such workspace.
        """
        found = await self._served(name)
        workspace = found.shelf.workspace
        if workspace.config_version != found.configured:
            workspace = replace(workspace, config=found.config, config_version=found.configured)
        return Moment(workspace, found.shelf, found.shelf.revision)

    async def shelf(self, name: str) -> Shelf:
        """The open shelf of a workspace, fresh and configured as the workspace now is."""
        return (await self._served(name)).shelf

    async def _served(self, name: str) -> _Open:
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
            return await self._served(name)
        while found.shelf.workspace.config_version not in (found.configured, found.postponed):
            async with self._opening:
                found = await self._reconfigured(name)
        return found

    async def settle(self, name: str) -> None:
        """Return when everything published so far can be found by this process.

        What was deleted is then left nowhere else, either: beside what serves, or where only
        those read who read there before.
        """
        shelf = await self.shelf(name)
        await shelf.refresh()
        await shelf.catch_up()
        others = [self._beside[name]] if name in self._beside else []
        others += [old for task, old in self._retiring.items() if not task.done()]
        for other in [
            one.shelf for one in others if one.shelf.workspace.uid == shelf.workspace.uid
        ]:
            await other.refresh()
            await other.catch_up()
            await other.save()

    async def prepare(self, name: str, one: Reindexing) -> tuple[Shelf, Footing]:
        """Where the footing of the two that this process does not serve is built, and which it is.

        It is filled in the background from here on, and kept abreast.
        """
        await self._served(name)
        async with self._opening:
            found = self._open.get(name) or await self._opened(name)
            footing = one.before if found.config.footing == one.after else one.after
            config = found.config.on(footing)
            beside = self._beside.get(name)
            if footing.generation == found.shelf.generation:
                if found.shelf.wanted.footing != footing and not self.is_ready(found, footing):
                    found.shelf.prepare(config)
                    await self._opener(found.shelf, found.stack)
                    found.shelf.wake()
                return found.shelf, footing
            if beside and beside.shelf.generation != footing.generation:
                self._retire_later(self._beside.pop(name))
                beside = None
            if beside is None:
                beside = self._beside[name] = await self._opened_beside(found, config)
            return beside.shelf, footing

    def is_ready(self, one: Shelf | _Open, footing: Footing) -> bool:
        """Whether this process may read from that footing at once."""
        shelf = one if isinstance(one, Shelf) else one.shelf
        return footing in self._ready.get(shelf.workspace.uid, set())

    def make_ready(self, shelf: Shelf, footing: Footing) -> None:
        """What was prepared has been verified: readers may go there when the catalog says so."""
        self._ready.setdefault(shelf.workspace.uid, set()).add(footing)
        for found in self._open.values():
            if found.shelf.workspace.uid == shelf.workspace.uid:
                self._ready[shelf.workspace.uid].add(found.config.footing)
                found.postponed = 0

    def is_retiring(self, uid: str) -> bool:
        """Whether something of the workspace that does not serve any more is still read from."""
        late = [one for name, one in self._open.items() if self._late(name, one)]
        return any(one.shelf.workspace.uid == uid for one in [*late, *self._retiring.values()])

    def preparing(self) -> Mapping[str, str]:
        """The workspaces of which something is kept beside what serves: names by uid."""
        names = {one.shelf.workspace.uid: name for name, one in self._beside.items()}
        for name, one in self._open.items():
            if one.shelf.target or one.shelf.workspace.uid in self._ready:
                names[one.shelf.workspace.uid] = name
        return names

    async def let_go(
        self, name: str, roles_of: Callable[[WorkspaceConfig], Collection[str]]
    ) -> None:
        """Close what is kept beside, and the projections that the configuration does not name.

        The caller knows that no other process reads there any more. Where this one still does,
        readers go over first, when what is to serve is filled here.
        """
        async with self._opening:
            found = self._open.get(name)
            if found:
                await found.shelf.refresh()
                if late := self._late(name, found):
                    await self._go_over(name, late)
                    return
                self._ready.pop(found.shelf.workspace.uid, None)
                found.postponed = 0
                left = set(found.shelf.projections) - set(roles_of(found.shelf.workspace.config))
                if found.shelf.generation == found.shelf.workspace.config.generation:
                    await found.shelf.release(left)
                    found.shelf.count_all()
            beside = self._beside.get(name)
            if beside and found and beside.shelf.generation != found.config.generation:
                del self._beside[name]
                self._drop(beside.shelf.roster.ids)
                await _close(beside)

    def _late(self, name: str, found: _Open) -> Shelf | None:
        """Where that which is to serve is filled here, while readers are on what served before."""
        footing, beside = found.shelf.workspace.config.footing, self._beside.get(name)
        if footing == found.config.footing:
            return None
        if beside and beside.shelf.generation == footing.generation:
            return beside.shelf
        target = found.shelf.target
        return found.shelf if target and target.footing == footing else None

    async def _go_over(self, name: str, late: Shelf) -> None:
        """Let readers go over, if all is filled; who reads there still is left to finish."""
        await late.refresh()
        if not late.prepared:
            return
        self.make_ready(late, late.workspace.config.footing)
        now = await self._reconfigured(name)
        if now.shelf is late and name in self._beside:
            self._retire_later(self._beside.pop(name))

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
        every = (*self._open.items(), *self._beside.items())
        followers = [(name, one.follower) for name, one in every if one.follower]
        return [name for name, follower in followers if blind or _failed(follower)]

    async def close_workspace(self, uid: str) -> None:
        """Stop following a deleted workspace, by its uid, and close all its indexes, saved."""
        async with self._opening:
            await self._end_retirement(lambda old: old.workspace.uid == uid)
            names = [name for name, one in self._open.items() if one.shelf.workspace.uid == uid]
            for name in names:
                await self._close_beside(name)
                await _close(self._open.pop(name))

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
        retiring = dict(self._retiring)
        still_open = [*self._open.values(), *self._beside.values()]
        self._open.clear()
        self._beside.clear()
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
        footing = workspace.config.footing
        if footing != found.config.footing and (
            self._late(name, found) or await self._catalog.reindexings.of(workspace.uid)
        ):
            if not self.is_ready(found, footing):
                found.postponed = workspace.config_version
                return found
            if found.shelf.generation != footing.generation:
                return await self._swapped(name, found)
        if found.shelf.generation != footing.generation:
            await self._close_beside(name)
            return await self._opened(name)
        if found.configured != workspace.config_version:
            await self._adopted(found, workspace)
            found.configured, found.config = workspace.config_version, workspace.config
        return found

    async def _adopted(self, found: _Open, workspace: Workspace) -> None:
        """Open and fill what the configuration needs; what is filled beside goes on in steps."""
        shelf, target = found.shelf, found.shelf.target
        known = set(shelf.projections)
        if target is None or workspace.config.footing != found.config.footing:
            shelf.count_all()
        shelf.target = None
        await self._opener(shelf, found.stack)
        needed = shelf.projections.keys() - known
        shelf.count_also(needed)
        if shelf.counted is None or needed:
            await self._catch_up(shelf)
        if target and shelf.counted is not None:
            shelf.target = workspace.config.on(target.footing)
            await self._opener(shelf, found.stack)
            shelf.wake()

    async def _swapped(self, name: str, found: _Open) -> _Open:
        """What was prepared beside serves from now on, and what served is kept beside."""
        beside = self._beside[name]
        await beside.shelf.refresh()
        workspace, revision = beside.shelf.workspace, beside.shelf.roster.revision
        beside.shelf.count_all()
        await self._catch_up(beside.shelf)
        if (
            beside.shelf.revision < revision
            or workspace.config.generation != beside.shelf.generation
        ):
            await found.shelf.refresh()
            return found
        beside.configured, beside.config = workspace.config_version, workspace.config
        beside.asked_at = time.monotonic()
        self._open[name], self._beside[name] = beside, found
        return beside

    async def _opened_beside(self, found: _Open, config: WorkspaceConfig) -> _Open:
        now = found.shelf.workspace
        workspace = replace(now, config=config)
        shelf = Shelf(self._catalog, workspace, on_gone=self._drop, persists=self._persists())
        shelf.prepare(config)
        async with AsyncExitStack() as stack:
            await shelf.refresh()
            await self._opener(shelf, stack)
            opened = _Open(shelf, stack.pop_all(), 0, config)
        self._let_follow(opened)
        return opened

    async def _close_beside(self, name: str) -> None:
        if beside := self._beside.pop(name, None):
            self._ready.pop(beside.shelf.workspace.uid, None)
            await _close(beside)

    async def _catch_up(self, shelf: Shelf) -> None:
        """An index that does not answer keeps nobody waiting: it catches up when it does."""
        try:
            await shelf.catch_up()
        except Unavailable as error:
            self._observer.stumbled(shelf.workspace.name, error)

    async def _reopened(self, name: str) -> None:
        found, beside = self._open.get(name), self._beside.get(name)
        if beside and self._persists() and not beside.shelf.persists:
            await self._close_beside(name)  # it will be prepared anew
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
            opened = _Open(shelf, stack.pop_all(), workspace.config_version, workspace.config)
        self._let_follow(opened)
        self._ready.pop(workspace.uid, None)  # what was prepared there is not prepared here
        if replaced := self._open.get(name):
            self._retire_later(replaced)
        self._open[name] = opened
        return opened

    def _let_follow(self, opened: _Open) -> None:
        if self._follow:
            name = f"follow {opened.shelf.workspace.name}"
            opened.follower = asyncio.create_task(self._following(opened.shelf), name=name)
            if self._lookout is None or self._lookout.done():
                self._lookout = asyncio.create_task(self._look_out(), name="look out")

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
            for one in (*self._open.values(), *self._beside.values()):
                if now.get(one.shelf.workspace.uid) != one.shelf.revision:
                    one.shelf.wake()
            self._retire_idle()

    def _retire_idle(self) -> None:
        """Close what is beyond the number kept, unless it may still have readers."""
        longest_ago = sorted(self._open, key=lambda name: self._open[name].asked_at)
        for name in longest_ago[: max(0, len(self._open) - KEPT_OPEN)]:
            if name not in self._beside and self._open[name].asked_at < time.monotonic() - READER_S:
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
