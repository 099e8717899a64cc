"""The catalog: the truth that every index, cache and answer is derived from."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator.domain.documents import (
    Chunk,
    Document,
    Piece,
    Reading,
    Receipt,
    Stage,
    Status,
    Upload,
    Version,
)
from orchestrator.domain.errors import Conflict, Exhausted
from orchestrator.domain.filters import Filter, Metadata
from orchestrator.domain.identity import Principal
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig
from orchestrator.ports.arrays import Ids, Vectors
from orchestrator.ports.batches import Batches, Errands, Replies
from orchestrator.ports.health import Pingable


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

    async def configure(self, name: str, config: WorkspaceConfig, *, expected: int) -> Workspace:
        """Make `config` the next version, if `expected` is still the current one.

        Raises:
            Conflict: when it is not, or when documents are indexed in a way that the new
                configuration cannot read.
        """
        ...

    async def configurations(self, name: str) -> Mapping[int, WorkspaceConfig]:
        """Every version of the configuration, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """An upload's document; `duplicate` where the same bytes were there already."""

    document: Document
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """An upload that passed inspection, its bytes stored under `blob_key`."""

    upload: Upload
    document_id: str
    media_type: str
    size: int
    content_hash: str
    blob_key: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker must know of the version that it is to index; `title` is the upload's own."""

    document: Document
    title: str
    blob_key: str
    generation: int

    @property
    def again(self) -> bool:
        """Whether the document may have come to an end before, one way or the other."""
        return self.document.version > 1 or self.document.queued_at != self.document.created_at


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents a list is to hold: all of them, unless narrowed."""

    status: Status | None = None
    source_prefix: str = ""
    filters: Filter | None = None


EVERYTHING: Final = Wanted()


class Documents(Protocol):
    """Documents by id and by source id."""

    async def known(self, workspace: str, source_ids: Sequence[str]) -> Mapping[str, Document]:
        """The live documents of those source ids, by source id."""
        ...

    async def register(
        self, workspace: str, arrivals: Sequence[Arrival], *, quota: Quota = UNLIMITED
    ) -> Sequence[Registered | Conflict | Exhausted]:
        """Record new documents and versions, and queue them, in one transaction.

        Their source ids are distinct. Each has its own fate, in order, and one that is refused
        hinders no other: a conflict where the source id belongs to another document than the
        arrival says, or that document was deleted; exhausted where the workspace would then hold
        more than the quota.

        Raises:
            NotFound: when the workspace is gone.
        """
        ...

    async def holding(self, workspace: str) -> Holding:
        """What the workspace holds; as cheap for many documents as for few."""
        ...

    async def get(self, document_id: str) -> Document:
        """The document, deleted ones included.

        Raises:
            NotFound: when there never was one.
        """
        ...

    async def list(
        self,
        workspace: str,
        *,
        principal: Principal,
        after: str | None,
        limit: int,
        wanted: Wanted = EVERYTHING,
    ) -> Sequence[Document]:
        """The live documents wanted that the principal may see, by id, after the id given."""
        ...

    async def outcomes(self, ids: Sequence[str]) -> Mapping[str, str | None]:
        """Those of the documents that came to their end: why each failed, or None."""
        ...

    async def work(self, document_id: str, version: int) -> Work | None:
        """What is to be indexed; None when a deletion or a newer version made it moot.

        From here on the document is being processed, at the stage `parsing`.
        """
        ...

    async def reached(self, stage: Stage, ids: Sequence[str]) -> None:
        """Note the stage of documents that are being processed, in one write."""
        ...

    async def advanced(self, shares: Mapping[str, float]) -> None:
        """Note how much of its stage lies behind each, in [0, 1], in one write."""
        ...

    async def waiting(self) -> int:
        """How many documents of all workspaces wait, or are being worked on."""
        ...

    async def alike(self, document_id: str, *, principal: Principal, limit: int) -> Sequence[str]:
        """Documents of the same workspace whose text is nearly the same, the most alike first.

        Only those that the principal may see; of very many, some may be left out.
        """
        ...


class Versions(Protocol):
    """The history of each document."""

    async def list(self, document_id: str, *, before: int | None, limit: int) -> Sequence[Version]:
        """The versions of a live document, newest first, before the number given."""
        ...

    async def get(self, document_id: str, number: int) -> Version:
        """One version of a live document.

        Raises:
            NotFound: when there is none of that number.
        """
        ...

    async def requeue(self, document_id: str) -> Document:
        """Queue the newest version once more, unless it waits or is being worked on already.

        Raises:
            NotFound: when there is no such live document.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unpurged:
    """Deleted things that some store still holds: receipts, and the uids of workspaces."""

    receipts: Sequence[tuple[str, Receipt]]
    workspaces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of documents that were to be deleted: receipts, and by id why others are held."""

    receipts: Sequence[Receipt] = ()
    held: Mapping[str, str] = field(default_factory=dict)


class Deletions(Protocol):
    """Tombstones now, erasure after; and the holds that forbid both."""

    async def document(self, document_id: str) -> Receipt:
        """Put up the tombstone and erase text and vectors; again, it gives the same receipt.

        Raises:
            NotFound: when there never was such a document.
            Conflict: when it is under legal hold.
        """
        ...

    async def documents(self, ids: Sequence[str]) -> Withdrawn:
        """The same for several, in one transaction; unknown ones are left out."""
        ...

    async def workspace(self, name: str) -> str:
        """Put up the tombstone of a workspace and all in it; its uid. The name is free again.

        Raises:
            NotFound: when there is no such workspace.
            Conflict: when a document in it is under legal hold.
        """
        ...

    async def hold(self, document_id: str, reason: str | None) -> Document:
        """Put a live document under legal hold, or with no reason release it.

        Raises:
            NotFound: when there is no such live document.
        """
        ...

    async def record(self, document_id: str, stores: Mapping[str, str]) -> Receipt:
        """Write the state of stores into the receipt, and give it."""
        ...

    async def erase(self, uid: str) -> None:
        """Erase a deleted workspace's last rows, when every other store has been purged."""
        ...

    async def unpurged(self) -> Unpurged:
        """What is left to purge; receipts come with their workspace's uid."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk without its text: visible from revision `added` until before `removed`."""

    chunk_id: int
    document_id: str
    generation: int
    added: int
    removed: int | None


@dataclass(frozen=True, slots=True)
class Rights:
    """What visibility needs to know of a document."""

    document_id: str
    acl: frozenset[str]
    metadata: Metadata
    deleted: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in a workspace up to `revision`: the present state of all that was touched.

    `rows` are all rows of the documents named: one that is known and not among them is gone.
    """

    revision: int
    rows: Sequence[Row]
    documents: Sequence[Rights]


@dataclass(frozen=True, slots=True)
class Publication:
    """A version ready to be seen: its pieces, each with the hash of its vector of `model`.

    `sketch` is what its likeness to other documents is told from.
    """

    job_id: int
    model: str
    document_id: str
    version: int
    generation: int
    title: str
    pieces: Sequence[Piece]
    hashes: Sequence[bytes]
    reading: Reading = field(default_factory=Reading)
    sketch: Sequence[int] = ()


class Log(Protocol):
    """The append-only change log, by which a workspace's revision moves."""

    async def publish(self, publications: Sequence[Publication]) -> None:
        """Replace each document's chunks, and end its job, atomically and in one revision each.

        A publication whose document was deleted, or has a newer version, is dropped; so is one
        whose job another worker ended meanwhile.

        Raises:
            Conflict: when a vector is missing, erased since it was made; nothing is published.
        """
        ...

    async def since(self, workspace: str, revision: int) -> Delta:
        """What changed after the revision; after 0, everything there is."""
        ...

    async def sweep(self, *, seconds: float) -> int:
        """Erase what was superseded longer ago than that; how many chunks.

        Vectors that no chunk or coming publication can need go, too.
        """
        ...


class Chunks(Protocol):
    """The text of chunks."""

    async def read(self, ids: Sequence[int]) -> Sequence[Chunk]:
        """The chunks of live documents among the ids, in any order."""
        ...

    async def of(
        self, document_id: str, *, generation: int, after: int, limit: int
    ) -> Sequence[Chunk]:
        """The chunks that readers of a live document now see, in order, after the id given."""
        ...

    def texts(self, ids: Ids) -> AsyncIterator[tuple[Ids, Sequence[str]]]:
        """What the keyword index holds of each chunk, in batches; absent where purged."""
        ...


class VectorTable(Protocol):
    """Vectors by model digest and text hash: no text is embedded twice."""

    async def known(self, model: str, hashes: Sequence[bytes]) -> frozenset[bytes]:
        """Which of the texts have a vector of the model."""
        ...

    async def put(self, model: str, hashes: Sequence[bytes], vectors: Vectors) -> None:
        """Store vectors, `[len(hashes), dimension]`; one that is there already stays."""
        ...

    def vectors(self, model: str, ids: Ids) -> AsyncIterator[tuple[Ids, Vectors]]:
        """The chunks' vectors, in batches; absent where purged or not yet embedded."""
        ...


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
