"""Re-indexing a workspace, as those see it who ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.domain.workspaces import Chunking, Workspace, WorkspaceConfig
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become another; None stays as it is."""

    embedder: str | None = None
    vectors: str | None = None
    keywords: str | None = None
    chunking: Chunking | None = None

    def of(self, config: WorkspaceConfig) -> WorkspaceConfig:
        """The configuration with them."""
        return replace(
            config,
            embedder=self.embedder or config.embedder,
            vectors=self.vectors or config.vectors,
            keywords=self.keywords or config.keywords,
            chunking=self.chunking or config.chunking,
        )


class Reindexings:
    """Begins re-indexings, and moves them where a person decides; the rest is background work."""

    def __init__(
        self, catalog: Catalog, embedder_of: Callable[[WorkspaceConfig], Embedder]
    ) -> None:
        self._catalog = catalog
        self._embedder_of = embedder_of

    async def begin(self, name: str, changes: Changes, *, automatic: bool) -> Reindexing:
        """Begin one; it switches by itself when it is verified if `automatic`.

        Raises:
            Rejected: when there is no backend of a name.
            Conflict: when one is open already, or there is nothing to change.
        """
        workspace = await self._catalog.workspaces.get(name)
        after = changes.of(workspace.config)
        models = Models(self._embedder_of(workspace.config).digest, self._embedder_of(after).digest)
        return await self._catalog.reindexings.begin(
            workspace.uid, after.footing, models, automatic=automatic
        )

    async def latest(self, name: str) -> Reindexing:
        """The newest of the workspace, open or ended.

        Raises:
            NotFound: when there never was one.
        """
        workspace = await self._catalog.workspaces.get(name)
        found = await self._catalog.reindexings.latest(workspace.uid)
        if found is None:
            raise NotFound(f"workspace '{name}' was never re-indexed", code="unknown_reindexing")
        return found

    async def switch(self, name: str) -> Reindexing:
        """Let readers go over to what has been verified.

        Raises:
            Conflict: when it has not been, or documents that came meanwhile are not there yet.
        """
        workspace, one = await self._open(name)
        if one.state is not State.VERIFIED:
            raise Conflict(
                f"the re-indexing of '{name}' is {one.state}, not verified",
                code="reindexing_not_verified",
            )
        await self._move(workspace, one)
        return await self.latest(name)

    async def confirm(self, name: str) -> Reindexing:
        """Let go of what served before the switch: there is no way back then.

        Raises:
            Conflict: when there has been no switch.
        """
        workspace, one = await self._open(name)
        if one.state is not State.SWITCHED:
            raise Conflict(
                f"the re-indexing of '{name}' is {one.state}: there was no switch to confirm",
                code="reindexing_not_switched",
            )
        await self._settle(workspace, one, State.CONFIRMED)
        return await self.latest(name)

    async def undo(self, name: str) -> Reindexing:
        """Cancel it before the switch, roll it back after.

        Raises:
            Conflict: when documents that came since the switch are not yet where it goes back to.
        """
        workspace, one = await self._open(name)
        if one.state is State.SWITCHED:
            await self._move(workspace, one)
        else:
            await self._settle(workspace, one, State.CANCELLED)
        return await self.latest(name)

    async def _open(self, name: str) -> tuple[Workspace, Reindexing]:
        workspace = await self._catalog.workspaces.get(name)
        one = await self._catalog.reindexings.of(workspace.uid)
        if one is None:
            raise NotFound(f"workspace '{name}' is not being re-indexed", code="unknown_reindexing")
        return workspace, one

    async def _move(self, workspace: Workspace, one: Reindexing) -> None:
        if await self._catalog.reindexings.switch(one) is None:
            raise Conflict(
                f"documents of '{workspace.name}' that came meanwhile are on their way to the "
                "other footing: ask again",
                code="reindexing_behind",
                retry_after=1.0,
            )

    async def _settle(self, workspace: Workspace, one: Reindexing, state: State) -> None:
        if not await self._catalog.reindexings.settle(one, state):
            raise Conflict(
                f"the re-indexing of '{workspace.name}' has just moved on: look again",
                code="reindexing_moved",
                retry_after=1.0,
            )
