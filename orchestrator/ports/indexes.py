"""Indexes over one workspace's chunks: projections that can be thrown away and rebuilt."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol, TypeVar, runtime_checkable

from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector

Content_contra = TypeVar("Content_contra", contravariant=True)
Question_contra = TypeVar("Question_contra", contravariant=True)


@dataclass(frozen=True, eq=False)
class Selection:
    """The chunks that a scope may see, ids ascending; identical while nothing has changed."""

    ids: Ids


class Visibility(Protocol):
    """Who may see which chunk of one workspace."""

    def select(self, scope: Scope) -> Selection:
        """The chunks that the scope may see; may take milliseconds, so call it on a thread."""
        ...


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One index: the workspace's uid, the generation of its chunks, and how they are read.

    `model` is the vectors' model, or a name for what is indexed of the texts.
    """

    workspace: str
    generation: int
    model: str = ""
    dimension: int = 0

    @property
    def path(self) -> PurePath:
        """Where a store on disk keeps it, below its own folder."""
        return PurePath(self.workspace, f"g{self.generation}-{self.digest}")

    @property
    def digest(self) -> str:
        """The model, as a word for the names of folders, tables and collections."""
        return hashlib.sha256(self.model.encode()).hexdigest()[:16]


class Index(Protocol[Content_contra, Question_contra]):
    """Chunks by id, searched by a question.

    Adding an id twice is adding it once; removing one that is not held does nothing. A search
    sees only chunks that its scope may see, and ranks among those: never the best of all,
    filtered afterwards.
    """

    async def held(self) -> Ids:
        """The ids that the index holds, ascending."""
        ...

    async def apply(self, ids: Ids, contents: Sequence[Content_contra], *, remove: Ids) -> None:
        """Add the contents under their ids and remove others, as one change."""
        ...

    async def search(self, question: Question_contra, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """The best `limit` chunks that the scope may see, best first."""
        ...

    async def save(self) -> None:
        """Make what was applied durable, where the store keeps anything and holds the lease."""
        ...

    async def faults(self) -> Sequence[str]:
        """What is damaged of all that it keeps, in words; reads it, and may take a minute."""
        ...


VectorIndex = Index[Vector, Vector]
"""Searched by a unit vector; a hit's score is the cosine, in [-1, 1]."""

KeywordIndex = Index[str, str]
"""Searched by any text, however malformed; a hit's score is positive, by the words shared."""


@runtime_checkable
class Speller(Protocol):
    """What a keyword index also is where it finds words by how they are spelled."""

    async def near(
        self, words: Sequence[str], *, scope: Scope, limit: int
    ) -> Mapping[str, Sequence[int]]:
        """Of the words that no chunk of the scope holds, chunks of it with one spelled alike.

        At most `limit` for each word; a word without any is left out. What the scope may not see
        changes nothing.
        """
        ...


@runtime_checkable
class Analyst(Protocol):
    """What a keyword index also is where it tells which words a text is to it."""

    def terms(self, text: str) -> Sequence[str]:
        """The words by which the index would find the text, as it writes them."""
        ...


Opened_co = TypeVar("Opened_co", covariant=True)


class IndexStore(Protocol[Opened_co]):
    """A family of indexes of one backend."""

    @property
    def shared(self) -> bool:
        """Whether a server keeps one index for all processes.

        Without `persist`, an index of such a store shows what others applied, and applies nothing.
        """
        ...

    def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AbstractAsyncContextManager[Opened_co]:
        """Open an index, empty if it is new or was found corrupt (which is logged).

        Without `persist` what is stored may be read, and must not be written.
        """
        ...

    async def prune(self, workspace: str) -> None:
        """Erase what is stored of the workspace's indexes that are not open, by its uid."""
        ...

    async def drop(self, workspace: str) -> None:
        """Erase every index of the workspace, given by its uid."""
        ...


VectorStore = IndexStore[VectorIndex]
KeywordStore = IndexStore[KeywordIndex]
