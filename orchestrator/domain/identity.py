"""Who asks, and what part of the world they may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.domain.filters import Filter

EVERYONE: Final = "everyone"
DEFAULT_WORKSPACE: Final = "default"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: its subject, and the groups and roles that its rights come from."""

    subject: str
    groups: frozenset[str] = frozenset({EVERYONE})
    roles: frozenset[str] = frozenset()


ANONYMOUS: Final = Principal("anonymous")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one search may see: a workspace, for a principal, through filters, at a revision.

    Chunks published after `revision` are invisible and chunks superseded after it are still
    visible; deletion and rights are always those of now.
    """

    workspace: str
    principal: Principal = ANONYMOUS
    filters: Filter | None = None
    revision: int = 0

    def at(self, revision: int) -> Scope:
        """The same scope, pinned to a revision of its workspace."""
        return Scope(self.workspace, self.principal, self.filters, revision)
