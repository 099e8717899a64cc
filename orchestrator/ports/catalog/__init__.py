"""The catalog: the truth that every index, cache and answer is derived from."""

from typing import Protocol

from orchestrator.ports.catalog.analytics import Analytics
from orchestrator.ports.catalog.batches import Batches, Errands
from orchestrator.ports.catalog.chunks import Chunks, VectorTable
from orchestrator.ports.catalog.deletions import Deletions, Unpurged, Withdrawn
from orchestrator.ports.catalog.documents import (
    EVERYTHING,
    Arrival,
    Documents,
    Registered,
    Wanted,
    Work,
)
from orchestrator.ports.catalog.log import Delta, Log, Publication, Rights, Row, Run
from orchestrator.ports.catalog.reindexings import Edition, Lagging, Reindexings
from orchestrator.ports.catalog.replies import Replies, Reply
from orchestrator.ports.catalog.sessions import Sessions
from orchestrator.ports.catalog.versions import Versions
from orchestrator.ports.catalog.workspaces import Workspaces
from orchestrator.ports.health import Pingable

__all__ = [
    "EVERYTHING",
    "Analytics",
    "Arrival",
    "Batches",
    "Catalog",
    "Chunks",
    "Deletions",
    "Delta",
    "Documents",
    "Edition",
    "Errands",
    "Lagging",
    "Log",
    "Publication",
    "Registered",
    "Reindexings",
    "Replies",
    "Reply",
    "Rights",
    "Row",
    "Run",
    "Sessions",
    "Unpurged",
    "VectorTable",
    "Versions",
    "Wanted",
    "Withdrawn",
    "Work",
    "Workspaces",
]


class Catalog(Pingable, Protocol):
    """One database, by what is asked of it."""

    @property
    def workspaces(self) -> Workspaces:
        """Workspaces and configurations."""
        ...

    @property
    def documents(self) -> Documents:
        """Documents as they are now."""
        ...

    @property
    def versions(self) -> Versions:
        """The history of documents."""
        ...

    @property
    def deletions(self) -> Deletions:
        """Tombstones, receipts and holds."""
        ...

    @property
    def log(self) -> Log:
        """The change log."""
        ...

    @property
    def chunks(self) -> Chunks:
        """The text of chunks."""
        ...

    @property
    def vectors(self) -> VectorTable:
        """The vectors of texts."""
        ...

    @property
    def batches(self) -> Batches:
        """Batches of documents."""
        ...

    @property
    def errands(self) -> Errands:
        """What is left to do of them in the background."""
        ...

    @property
    def replies(self) -> Replies:
        """Answers to requests that may be repeated."""
        ...

    @property
    def reindexings(self) -> Reindexings:
        """Workspaces on their way to another footing."""
        ...

    @property
    def analytics(self) -> Analytics:
        """Counts of searches."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Conversations."""
        ...
