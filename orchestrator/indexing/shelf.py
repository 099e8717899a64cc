"""One open workspace: its roster and indexes, and how old its view of the catalog may be."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from orchestrator.domain.errors import NotFound, RagError
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig
from orchestrator.indexing.projection import STEP, Audit, Projection
from orchestrator.indexing.roster import Roster
from orchestrator.ports.arrays import Ids
from orchestrator.ports.catalog import Catalog

LEASE_S: Final = 0.1
"""How long a process may trust what it last read of a workspace."""

AHEAD_S: Final = LEASE_S / 2
"""What is asked for that long after, is read again meanwhile: so that hardly anybody waits."""

READER_S: Final = 120.0
"""Longer than any request: what was superseded so long ago, no reader is pinned before."""

SAVE_S: Final = 5.0
"""How long a changed index waits for more changes before it is saved."""


class Shelf:
    """Keeps a workspace's projections abreast; deletions and rights take effect at once.

    `on_gone` is told the chunks that a deletion took; `persists` says whether what is saved lasts
    on disk, and stays as it was when the shelf was opened.
    """

    def __init__(
        self,
        catalog: Catalog,
        workspace: Workspace,
        *,
        on_gone: Callable[[Ids], None],
        persists: bool = False,
    ) -> None:
        self._catalog = catalog
        self._on_gone = on_gone
        self._refreshing = asyncio.Lock()
        self._ahead: asyncio.Task[None] | None = None
        self._following = asyncio.Lock()
        self._read_at = -LEASE_S
        self._history: deque[tuple[float, int]] = deque()
        self._moved = asyncio.Event()
        self._saved_at = time.monotonic()
        self.workspace = workspace
        self.generation = workspace.config.generation
        self.persists = persists
        self.roster = Roster(self.generation)
        self.projections: dict[str, Projection[Any, Any]] = {}
        self.target: WorkspaceConfig | None = None
        self.counted: frozenset[str] | None = None

    @property
    def wanted(self) -> WorkspaceConfig:
        """The configuration whose projections are to be opened: the workspace's, or a target."""
        return self.target or self.workspace.config

    @property
    def revision(self) -> int:
        """The newest revision that every index holds whole: what a request is pinned to.

        Those that do not answer are not waited for: an answer does without them. Those that are
        being prepared do not count yet.
        """
        up = (
            p.revision for role, p in self.projections.items() if self._counts(role) and not p.down
        )
        return min(up, default=self.roster.revision)

    async def fresh(self) -> Workspace:
        """The workspace as it was at most `LEASE_S` ago.

        Raises:
            NotFound: when it has been deleted.
            Unavailable: when the lease has ended and the catalog does not answer.
        """
        age = time.monotonic() - self._read_at
        if age >= LEASE_S:
            async with self._refreshing:
                if time.monotonic() - self._read_at >= LEASE_S:
                    await self._refresh()
        elif age >= AHEAD_S and (self._ahead is None or self._ahead.done()):
            self._ahead = asyncio.create_task(self._refresh_ahead())
        return self.workspace

    async def refresh(self) -> None:
        """Read the catalog now, whatever the lease."""
        async with self._refreshing:
            await self._refresh()

    async def catch_up(self) -> None:
        """Bring every projection to the roster's revision; those not counted, a step closer.

        Raises:
            Unavailable: when one of them does not answer, after all others were brought there.
        """
        async with self._following:
            await self._catch_up()

    async def _catch_up(self) -> None:
        behind = {role: one for role, one in self.projections.items() if self._behind(one)}
        outcomes = await asyncio.gather(
            *(
                one.catch_up(self.roster, most=None if self._counts(role) else STEP)
                for role, one in behind.items()
            ),
            return_exceptions=True,
        )
        if False in outcomes:
            self._moved.set()
        self._forget()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def prepare(self, target: WorkspaceConfig) -> None:
        """From now on, count only the projections that there are: others are filled in steps."""
        self.target = target
        self.counted = frozenset(self.projections)

    @property
    def prepared(self) -> bool:
        """Whether every projection holds what the roster has, as far as the roster has been read.

        One that follows a log that moves on may be one revision behind, and is prepared.
        """
        return all(p.revision > 0 or not len(self.roster.ids) for p in self.projections.values())

    def share(self) -> float:
        """How much of the indexes that are being prepared is filled, in [0, 1]."""
        coming = [p for role, p in self.projections.items() if not self._counts(role)]
        return min((one.share(self.roster) for one in coming), default=1.0)

    def count_also(self, roles: Collection[str]) -> None:
        """Let these count, which readers need from now on, beside those that do already."""
        if self.counted is not None:
            self.counted |= frozenset(roles)

    def count_all(self) -> None:
        """Let what was prepared count."""
        self.target, self.counted = None, None

    async def release(self, roles: Collection[str]) -> None:
        """Read from these projections no more, from now on, and close them."""
        released = [self.projections.pop(role) for role in roles]
        async with self._following:
            for one in released:
                await one.release()

    def _counts(self, role: str) -> bool:
        return self.counted is None or role in self.counted

    def wake(self) -> None:
        """Let its follower look at once: there may be a change."""
        self._moved.set()

    async def follow(self, *, poll_s: float) -> None:
        """Read the log, catch up and save, for ever; wakes at once when a request saw a change."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll_s):  # wait_for can lose a cancellation
                    await self._moved.wait()
            self._moved.clear()
            await self.fresh()
            try:
                await self.catch_up()
            finally:
                if time.monotonic() - self._saved_at > SAVE_S:
                    self._saved_at = time.monotonic()
                    await self.save()

    async def save(self) -> None:
        """Save every projection that has changed."""
        async with self._following:
            for projection in list(self.projections.values()):  # more may be opened meanwhile
                await projection.save()

    async def audit(self) -> Mapping[str, Audit]:
        """What readers read from, held against the catalog as it is now, while none changes."""
        await self.refresh()
        async with self._following:
            revision = -1
            while revision != self.roster.revision:  # a request may see a change meanwhile
                revision = self.roster.revision
                await self._catch_up()
            wanted = self.roster.ids
            every = [one for one in self.projections.items() if self._counts(one[0])]
            return {role: await one.audit(wanted) for role, one in every}

    async def close(self) -> None:
        """Save what has changed; whoever still reads is told that the indexes are closed."""
        if self._ahead:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
        try:
            await self.save()
        finally:
            for projection in self.projections.values():
                projection.close()

    def _behind(self, one: Projection[Any, Any]) -> bool:
        return one.down or one.revision < self.roster.revision or one.revision == 0

    async def _refresh_ahead(self) -> None:
        """What is wrong is told to whoever comes when the lease has ended."""
        with contextlib.suppress(RagError):
            await self.refresh()

    async def _refresh(self) -> None:
        began = time.monotonic()
        now = await self._catalog.workspaces.get(self.workspace.name)
        if now.uid != self.workspace.uid:
            raise NotFound(f"workspace '{now.name}' was replaced", code="unknown_workspace")
        if now.revision != self.roster.revision or self._read_at < 0:
            gone = self.roster.apply(await self._catalog.log.since(now.uid, self.roster.revision))
            self._on_gone(gone)
            self._history.append((began, self.roster.revision))
            self._moved.set()
        self.workspace = now
        self._read_at = began

    def _forget(self) -> None:
        horizon, floor = time.monotonic() - READER_S, 0
        while self._history and self._history[0][0] < horizon:
            floor = self._history.popleft()[1]
        if floor:
            self.roster.forget(min(floor, self.revision))
