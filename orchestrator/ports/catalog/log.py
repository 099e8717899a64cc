"""The change log: what is published, and what a follower is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from orchestrator.domain.documents import Piece, Reading
from orchestrator.domain.filters import Metadata
from orchestrator.ports.arrays import Ids


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk without its text: visible from revision `added` until before `removed`."""

    chunk_id: int
    document_id: str
    generation: int
    added: int
    removed: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Chunks of one document that came, and went, together."""

    document_id: str
    generation: int
    added: int
    removed: int | None
    ids: Ids


@dataclass(frozen=True, slots=True)
class Rights:
    """What visibility needs to know of a document."""

    document_id: str
    acl: frozenset[str]
    metadata: Metadata
    deleted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """What changed in a workspace up to `revision`: the present state of all that was touched.

    `runs` have all chunks of the documents named: one that is known and not among them is gone.
    """

    revision: int
    runs: Sequence[Run] = ()
    documents: Sequence[Rights] = ()

    @classmethod
    def of(cls, revision: int, rows: Iterable[Row], documents: Sequence[Rights] = ()) -> Delta:
        """A delta of chunks told one by one."""
        runs = [
            Run(row.document_id, row.generation, row.added, row.removed, np.array([row.chunk_id]))
            for row in rows
        ]
        return cls(revision, runs, documents)

    @property
    def rows(self) -> list[Row]:
        """The chunks one by one, by id."""
        rows = [
            Row(chunk_id, run.document_id, run.generation, run.added, run.removed)
            for run in self.runs
            for chunk_id in run.ids.tolist()
        ]
        return sorted(rows, key=lambda row: row.chunk_id)


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
