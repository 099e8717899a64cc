"""Documents: registered, listed, and followed on their way to the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from orchestrator.domain.documents import Document, Stage, Status, Upload
from orchestrator.domain.errors import Conflict, Exhausted
from orchestrator.domain.filters import Filter
from orchestrator.domain.identity import Principal
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota


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
