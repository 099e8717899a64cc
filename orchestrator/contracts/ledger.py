"""One workspace's changes, told one by one to the roster that decides who sees what."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from orchestrator.contracts.specimens import chunk, member
from orchestrator.domain.documents import Chunk
from orchestrator.domain.filters import Filter, Metadata
from orchestrator.domain.identity import EVERYONE, Scope
from orchestrator.indexing.roster import Roster
from orchestrator.ports.arrays import Ids
from orchestrator.ports.catalog import Delta, Rights, Row

WORKSPACE = "0123456789abcdef"
GENERATION = 1


def ids_of(numbers: Iterable[int]) -> Ids:
    """Chunk ids as indexes take them."""
    return np.array(list(numbers), np.int64)


NOTHING = ids_of(())


class Ledger:
    """Every change makes the next revision; chunk ids count from 1, and `chunks` have texts."""

    def __init__(self) -> None:
        self.roster = Roster(GENERATION)
        self.chunks: dict[int, Chunk] = {}
        self._rows: dict[int, Row] = {}
        self._documents = 0

    @property
    def revision(self) -> int:
        """The newest revision."""
        return self.roster.revision

    def scope(
        self, *groups: str, filters: Filter | None = None, revision: int | None = None
    ) -> Scope:
        """What members of the groups (anonymous callers, without) see: now, or at a revision."""
        now = self.revision if revision is None else revision
        return Scope(WORKSPACE, member(*groups), filters, now)

    def publish(
        self, count: int, *, acl: Iterable[str] = (EVERYONE,), metadata: Metadata | None = None
    ) -> list[int]:
        """One more document, of so many chunks; their ids."""
        revision, first = self.revision + 1, len(self._rows) + 1
        self._documents += 1
        document = f"document-{self._documents}"
        rows = [
            Row(chunk_id, document, GENERATION, revision, None)
            for chunk_id in range(first, first + count)
        ]
        rights = Rights(document, frozenset(acl), metadata or {}, deleted=False)
        self._tell(Delta.of(revision, rows, [rights]))
        return [row.chunk_id for row in rows]

    def write(
        self, *texts: str, acl: Iterable[str] = (EVERYONE,), metadata: Metadata | None = None
    ) -> list[int]:
        """One more document, of chunks with these texts; their ids."""
        ids = self.publish(len(texts), acl=acl, metadata=metadata)
        for chunk_id, text in zip(ids, texts, strict=True):
            self.chunks[chunk_id] = chunk(text, chunk_id=chunk_id)
        return ids

    def supersede(self, ids: Iterable[int]) -> None:
        """A newer version of their documents takes the place of these chunks."""
        old = [self._rows[chunk_id] for chunk_id in ids]
        revision = self.revision + 1
        rows = [
            Row(row.chunk_id, row.document_id, row.generation, row.added, revision) for row in old
        ]
        self._tell(Delta.of(revision, rows))

    def grant(
        self, chunk_id: int, acl: Iterable[str] = (EVERYONE,), metadata: Metadata | None = None
    ) -> None:
        """Change the rights and metadata of the document that holds the chunk."""
        document = self._rows[chunk_id].document_id
        rows = [row for row in self._rows.values() if row.document_id == document]
        rights = Rights(document, frozenset(acl), metadata or {}, deleted=False)
        self._tell(Delta.of(self.revision + 1, rows, [rights]))

    def delete(self, chunk_id: int) -> None:
        """Delete the document that holds the chunk."""
        rights = Rights(self._rows[chunk_id].document_id, frozenset(), {}, deleted=True)
        self._tell(Delta.of(self.revision + 1, (), [rights]))

    def _tell(self, delta: Delta) -> None:
        self._rows.update((row.chunk_id, row) for row in delta.rows)
        self.roster.apply(delta)
