"""One index of one workspace, kept abreast of the roster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np

from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.indexing.roster import Roster
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import Analyst, Index, Speller

Content = TypeVar("Content")
Question = TypeVar("Question")
Source = Callable[[Ids], AsyncIterator[tuple[Ids, Any]]]
"""Chunk ids to their contents in the catalog, in batches."""

TOGETHER: Final = 5_000
"""Chunks that are added to an index in one change."""
NOTHING: Final[Ids] = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Audit:
    """How many chunks an index holds, lacks, and should not hold; and what is damaged of it."""

    held: int
    missing: int
    surplus: int
    faults: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the index is exactly what the catalog says."""
        return not (self.missing or self.surplus or self.faults)


class Projection(Generic[Content, Question]):
    """An index that follows the log: `revision` is the last one of which it holds everything."""

    def __init__(self, index: Index[Content, Question], source: Source) -> None:
        self._index = index
        self._source = source
        self._held: Ids | None = None
        self._changed = False
        self._closed = False
        self.revision = 0

    async def search(self, question: Question, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Search the index; the scope's revision must be at most this projection's.

        Raises:
            Unavailable: when the index was closed meanwhile.
        """
        self._must_be_open()
        return await self._index.search(question, scope=scope, limit=limit)

    async def near(
        self, words: Sequence[str], *, scope: Scope, limit: int
    ) -> Mapping[str, Sequence[int]]:
        """`orchestrator.ports.indexes.Speller.near` of the index.

        Raises:
            Unavailable: when the index was closed meanwhile, or is no speller.
        """
        self._must_be_open()
        if not isinstance(self._index, Speller):
            raise Unavailable("spelling", "the keyword index finds no words by their spelling")
        return await self._index.near(words, scope=scope, limit=limit)

    async def finding(
        self, words: Sequence[str], chunk_ids: Sequence[int]
    ) -> Mapping[int, Sequence[str]]:
        """Of each chunk, those of the words that the index finds it by; none by an index of others.

        What is indexed of the chunks is read again: this is for explanations.
        """
        index = self._index
        if not isinstance(index, Analyst):
            return {}
        stems = {word: set(index.terms(word)) for word in words}
        found: dict[int, Sequence[str]] = {}
        async for ids, contents in self._source(np.array(sorted(chunk_ids), np.int64)):
            for chunk_id, content in zip(ids.tolist(), contents, strict=True):
                held = set(index.terms(str(content)))
                found[chunk_id] = [word for word in words if stems[word] & held]
        return found

    async def catch_up(self, roster: Roster) -> None:
        """Add what the roster has and the index lacks; remove what it has no more."""
        wanted, revision = roster.ids, roster.revision
        held = await self._index.held() if self._held is None else self._held
        missing, surplus = await asyncio.to_thread(_difference, wanted, held)
        async for ids, contents in _together(self._source(missing)):
            self._must_be_open()
            await self._index.apply(ids, contents, remove=NOTHING)
        if len(surplus):
            self._must_be_open()
            await self._index.apply(NOTHING, (), remove=surplus)
        self._changed |= bool(len(missing) or len(surplus))
        self._held = wanted
        self.revision = revision

    async def audit(self, roster: Roster) -> Audit:
        """Compare the index with the roster, and with its own checksums."""
        held = await self._index.held()
        missing, surplus = await asyncio.to_thread(_difference, roster.ids, held)
        return Audit(len(held), len(missing), len(surplus), tuple(await self._index.faults()))

    async def save(self) -> None:
        """Make the index durable, if it has changed since it last was."""
        if self._changed and not self._closed:
            await self._index.save()
            self._changed = False

    def close(self) -> None:
        """Use the index no more: whoever opened it is about to close it."""
        self._closed = True

    def _must_be_open(self) -> None:
        if self._closed:
            raise Unavailable("the index", "it was closed")


async def _together(
    batches: AsyncIterator[tuple[Ids, Sequence[Any]]],
) -> AsyncIterator[tuple[Ids, Sequence[Any]]]:
    """Batches joined to larger ones: every change of an index costs something by itself."""
    ids: list[Ids] = []
    contents: list[Any] = []
    async for some, held in batches:
        ids.append(some)
        contents.extend(held)
        if len(contents) >= TOGETHER:
            yield np.concatenate(ids), contents
            ids, contents = [], []
    if ids:
        yield np.concatenate(ids), contents


def _difference(wanted: Ids, held: Ids) -> tuple[Ids, Ids]:
    if wanted is held:
        return NOTHING, NOTHING
    return (
        np.setdiff1d(wanted, held, assume_unique=True),
        np.setdiff1d(held, wanted, assume_unique=True),
    )
