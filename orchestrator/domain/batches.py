"""Many documents handed in at once: what was named, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import EVERYONE

Progress: TypeAlias = Literal["running", "ended", "interrupted"]


class Kind(StrEnum):
    """How the documents of a batch are come by: sent along, named, or found on a website."""

    FILES = "files"
    MANIFEST = "manifest"
    WEBSITE = "website"


class Standing(StrEnum):
    """Where one item stands before it is a document, or where it will never be one."""

    WAITING = "waiting"
    TAKEN = "taken"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Item:
    """One document to come: `place` is the path or URL that it is read from, if it is to be.

    `depth` counts the links from where a crawl began.
    """

    source_id: str
    place: str = ""
    depth: int = 0
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] = frozenset({EVERYONE})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: a document, or the reason why there is none."""

    standing: Standing
    document_id: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the work on an item ended: its outcome, and what it led to.

    `spent` are the bytes that were read of other machines for it.
    """

    outcome: Outcome
    found: Sequence[Item] = ()
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One item as it stands: `status` is its document's, else its own."""

    number: int
    source_id: str
    status: str
    document_id: str | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the catalog knows it; `plan` is what its kind needs to go on after a restart.

    `counts` are its items by status, `bytes` what was read of other machines for it. A batch of
    files whose request ended before all were taken is `interrupted`.
    """

    id: str
    workspace: str
    kind: Kind
    plan: Mapping[str, Any]
    interrupted: bool
    counts: Mapping[str, int]
    created_at: datetime
    updated_at: datetime
    bytes: int = 0

    @property
    def total(self) -> int:
        """How many items there are by now."""
        return sum(self.counts.values())

    @property
    def status(self) -> Progress:
        """`running`, `interrupted` or `ended`."""
        if self.interrupted:
            return "interrupted"
        busy = sum(self.counts.get(one, 0) for one in BUSY)
        return "running" if busy else "ended"


@dataclass(frozen=True, slots=True)
class Errand:
    """The next item of a batch that is worked on in the background."""

    batch: Batch
    number: int
    item: Item


BUSY: Sequence[str] = ("waiting", "queued", "processing")
"""The statuses that are no end."""
