"""Moving a workspace to another footing: built beside the one that serves, verified, switched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.workspaces import Footing


class State(StrEnum):
    """Where a re-indexing stands; the last four are its ends."""

    BUILDING = "building"
    VERIFIED = "verified"
    SWITCHED = "switched"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled_back"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Models:
    """The digests of the embedding models of both footings."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Reindexing:
    """One workspace, given by its uid, on its way from one footing to another.

    `behind` of `documents` are not yet, at their present version, on the footing that does not
    serve; `share` of the new indexes is filled. `automatic` ones switch by themselves.
    """

    id: str
    workspace: str
    state: State
    before: Footing
    after: Footing
    models: Models
    automatic: bool
    share: float
    created_at: datetime
    switched_at: datetime | None = None
    ended_at: datetime | None = None
    erased_at: datetime | None = None
    reason: str | None = None
    documents: int = 0
    behind: int = 0

    @property
    def serving(self) -> Footing:
        """The footing that readers are on."""
        return self.after if self.state in (State.SWITCHED, State.CONFIRMED) else self.before

    @property
    def beside(self) -> Footing:
        """The other one: what is built, and after the switch what is kept."""
        return self.before if self.state in (State.SWITCHED, State.CONFIRMED) else self.after

    @property
    def model(self) -> str:
        """The model of the other footing."""
        switched = self.state in (State.SWITCHED, State.CONFIRMED)
        return self.models.before if switched else self.models.after

    @property
    def copies(self) -> bool:
        """Whether chunks are made anew: else only indexes change, over the same chunks."""
        return self.before.generation != self.after.generation

    @property
    def cuts(self) -> bool:
        """Whether the other footing cuts documents in another way."""
        return self.before.chunking != self.after.chunking
