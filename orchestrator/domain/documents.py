"""Documents, what a parser reads from them, and the chunks they are cut into."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Final

from orchestrator.domain.characters import require_kept
from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import EVERYONE, Principal

QA_MEDIA_TYPE: Final = "application/x-qa+json"
"""Question and answer pairs: a JSON list of `{"question", "answer"}`."""


class Status(StrEnum):
    """Where a document stands."""

    QUEUED = "queued"
    PROCESSING = "processing"
    INDEXED = "indexed"
    FAILED = "failed"
    DELETED = "deleted"


class Stage(StrEnum):
    """What is being done for a document that is on its way to be found."""

    QUEUED = "queued"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    INDEXING = "indexing"

    @property
    def progress(self) -> float:
        """How much of the way lies behind it: a rough share, in [0, 1)."""
        return _PROGRESS[self]

    @property
    def end(self) -> float:
        """The progress of the stage after it."""
        return min((one for one in _PROGRESS.values() if one > self.progress), default=1.0)


_PROGRESS: Final = {
    Stage.QUEUED: 0.0,
    Stage.PARSING: 0.1,
    Stage.EMBEDDING: 0.5,
    Stage.INDEXING: 0.9,
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it was handed over: identity, rights and bytes, which are read from the start.

    `source_id` names the document within its workspace for good: a second upload under the same
    one is a new version. `acl` are the groups that may see it. `media_type` is given where the
    service made the bytes itself; else it is read from them.

    Raises:
        Rejected: naming the field whose text some store cannot keep.
    """

    source_id: str
    content: BinaryIO
    filename: str
    title: str | None = None
    metadata: Metadata = field(default_factory=dict)
    acl: frozenset[str] = frozenset({EVERYONE})
    media_type: str | None = None

    def __post_init__(self) -> None:
        require_kept(
            source_id=self.source_id,
            title=self.title,
            metadata=self.metadata,
            acl=self.acl,
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What was learnt of a version by reading it.

    `pages` is how many it has, None where its format has none. `timings` are seconds: `queued`,
    `parsing`, `chunking`, `embedding` of the batch that it was in, and `total` of its way.
    """

    pages: int | None = None
    warnings: Sequence[str] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: as long as it lasts, the document cannot be deleted."""

    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document; `chunks` is None where it was never indexed.

    `status` is None once a later version took its place.
    """

    document_id: str
    number: int
    title: str
    media_type: str
    size: int
    content_hash: str
    created_at: datetime
    status: Status | None
    chunks: int | None
    blob_key: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the catalog knows it; `version` counts from 1, `size` is in bytes.

    `revision` is that of the workspace when the document last changed what readers see. `stage`
    is None when nothing is being done for it; `share` of it lies behind, in [0, 1]. Where it
    failed, `error` is a sentence for people, and `error_code` stable and for programs.
    `queued_at`, `indexed_at` and `reading` are those of the newest version.
    """

    id: str
    workspace: str
    source_id: str
    title: str
    media_type: str
    size: int
    content_hash: str
    metadata: Metadata
    acl: frozenset[str]
    status: Status
    version: int
    chunks: int
    revision: int
    created_at: datetime
    updated_at: datetime
    error: str | None = None
    error_code: str | None = None
    receipt: Receipt | None = None
    stage: Stage | None = None
    share: float = 0.0
    queued_at: datetime | None = None
    indexed_at: datetime | None = None
    reading: Reading | None = None
    hold: Hold | None = None

    @property
    def progress(self) -> float | None:
        """The share of its way that lies behind it, in [0, 1]; None where there is no way on."""
        if self.status is Status.INDEXED:
            return 1.0
        if self.stage is None:
            return None
        return self.stage.progress + self.share * (self.stage.end - self.stage.progress)

    def seen_by(self, principal: Principal) -> bool:
        """Whether the principal may see its text."""
        return self.status is not Status.DELETED and not self.acl.isdisjoint(principal.groups)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof of a deletion: the revision that hides the document, and the state of each store.

    No request that begins after the receipt was issued shows the document. A store's state is
    `purged`, or `pending: why` until it has been cleaned.
    """

    document_id: str
    revision: int
    deleted_at: datetime
    stores: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether every store has been purged."""
        return all(state == "purged" for state in self.stores.values())


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the extracted text: where its section begins, and its level from 1."""

    start: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser read: plain text, with headings and page starts as character offsets.

    `properties` are what the file says of itself: `author`, `created`, `modified`, `language`.
    `warnings` say in words what could not be read, such as `page 3 has no text layer`.
    """

    text: str
    title: str | None = None
    headings: Sequence[Heading] = ()
    pages: Sequence[int] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk before it is stored: `text` is the extracted text's `[start:end]`.

    `asked` says that the section is a question, and the text its answer.
    """

    text: str
    start: int
    end: int
    section: str | None = None
    page: int | None = None
    asked: bool = False

    def embedded(self, title: str) -> str:
        """What is indexed: the text below its title and section; of an answer, its question."""
        if self.asked and self.section:
            return self.section
        return "\n".join(part for part in (title, self.section, self.text) if part)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored chunk, with what a citation of it must show. Ids are never reused.

    Where `asked`, the section is the question that the text answers.
    """

    id: int
    document_id: str
    source_id: str
    version: int
    title: str
    text: str
    start: int
    end: int
    section: str | None = None
    page: int | None = None
    asked: bool = False


def text_hash(text: str) -> bytes:
    """The key under which a text's vector is stored: 16 bytes of its SHA-256."""
    return hashlib.sha256(text.encode()).digest()[:16]
