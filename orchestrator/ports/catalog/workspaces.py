"""Workspaces by name, and the versions of their configuration."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.domain.history import Version
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig


class Workspaces(Protocol):
    """Workspaces by name, and the versions of their configuration."""

    async def create(self, name: str, config: WorkspaceConfig) -> Workspace:
        """A new, empty workspace.

        Raises:
            Conflict: when the name is taken.
        """
        ...

    async def get(self, name: str) -> Workspace:
        """The workspace as of now: the read that every lease on its state is renewed by.

        Raises:
            NotFound: when there is none.
        """
        ...

    async def by_uid(self, uid: str) -> Workspace:
        """The live workspace of that uid.

        Raises:
            NotFound: when there is none.
        """
        ...

    async def list(self) -> Sequence[Workspace]:
        """Every workspace, by name."""
        ...

    async def revisions(self) -> Mapping[str, int]:
        """The revision of every live workspace, by its uid."""
        ...

    async def configure(
        self, name: str, config: WorkspaceConfig, *, expected: int, by: str | None = None
    ) -> Workspace:
        """Make `config` the next version, `by` someone, if `expected` is still the current one.

        What changes nothing makes no version.

        Raises:
            Conflict: when it is not, or when documents are indexed in a way that the new
                configuration cannot read.
        """
        ...

    async def configurations(self, name: str) -> Mapping[int, WorkspaceConfig]:
        """Every version of the configuration, oldest first."""
        ...

    async def history(self, name: str) -> Sequence[Version]:
        """Every version of the configuration with who made it and when, newest first."""
        ...
