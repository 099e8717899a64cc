"""One index of one workspace, kept abreast of the roster."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
Release = Callable[[], Awaitable[None]]

TOGETHER: Final = 5_000
"""Chunks that are added to an index in one change."""
STEP: Final = 10_000
"""Chunks that are added at once to an index that is filled beside those in use."""
NOTHING: Final[Ids] = np.empty(0, np.int64)

PATIENCE_S: Final = 10.0
"""How late an index that another process fills may be: longer than taking over a lease takes."""


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
    """An index that follows the log: `revision` is the last one of which it holds everything.

    `shared` says that a server keeps the index for all processes, so that others may be ahead of
    this one; without `persists`, this one only looks how far they have come. An index that does
    not answer is `down`, and is looked at from the start when it answers again.
    """

    def __init__(
        self,
        index: Index[Content, Question],
        source: Source,
        *,
        shared: bool = False,
        persists: bool = True,
        release: Release | None = None,
    ) -> None:
        self._index = index
        self._release = release
        self._shared = shared
        self._persists = persists
        self.source = source
        self._held: Ids | None = None
        self._spared: Ids = NOTHING
        self._changed = False
        self._closed = False
        self._current_at = -math.inf
        self.revision = 0
        self.down = False

    async def search(self, question: Question, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Search the index.

        Raises:
            Unavailable: when the index does not answer, does not hold all that the scope may see,
                or was closed meanwhile.
        """
        self._must_be_open()
        if self.down and scope.revision > self.revision:
            raise Unavailable("the index", "it does not hold everything yet")
        with self._watched():
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
        async for ids, contents in self.source(np.array(sorted(chunk_ids), np.int64)):
            for chunk_id, content in zip(ids.tolist(), contents, strict=True):
                held = set(index.terms(str(content)))
                found[chunk_id] = [word for word in words if stems[word] & held]
        return found

    async def catch_up(self, roster: Roster, *, most: int | None = None) -> bool:
        """Add what the roster has and the index lacks; remove what it has no more.

        Of what is lacking, at most so many are added; whether that was all.

        Raises:
            Unavailable: when the index does not answer, or whoever applies changes to it is late.
        """
        if self._shared and not self._persists:
            await self._look(roster)
            return True
        return await self._apply(roster, most)

    async def _apply(self, roster: Roster, most: int | None) -> bool:
        wanted, revision = roster.ids, roster.revision
        if (held := self._held) is None:
            held = await self._stored()
            missing, surplus = await asyncio.to_thread(_difference, wanted, held)
            spared = await self._alive(surplus)
            if len(missing):
                self.revision = 0
        else:
            missing, surplus = await asyncio.to_thread(_difference, wanted, held)
            spared = await self._alive(np.intersect1d(surplus, self._spared, assume_unique=True))
        surplus = np.setdiff1d(surplus, spared, assume_unique=True)
        now, later = missing[:most], missing[len(missing[:most]) :]
        async for ids, contents in _together(self.source(now)):
            await self._change(ids, contents, NOTHING)
        if len(surplus):
            await self._change(NOTHING, (), surplus)
        self._changed |= bool(len(now) or len(surplus))
        kept = np.setdiff1d(wanted, later, assume_unique=True) if len(later) else wanted
        self._held = np.union1d(kept, spared) if len(spared) else kept
        self._spared = spared
        self.down = False
        if len(later):
            return False
        self.revision = revision
        return True

    def share(self, roster: Roster) -> float:
        """How much it holds of what it is to hold, in [0, 1]."""
        held = 0 if self._held is None else len(self._held) - len(self._spared)
        return min(1.0, held / len(roster.ids)) if len(roster.ids) else 1.0

    async def held(self) -> Ids:
        """The ids that the index itself says it holds."""
        self._must_be_open()
        return await self._stored()

    async def _look(self, roster: Roster) -> None:
        wanted, revision = roster.ids, roster.revision
        missing, _ = await asyncio.to_thread(_difference, wanted, await self._stored())
        now = time.monotonic()
        if not len(missing):
            self._current_at, self.revision, self.down = now, revision, False
        elif self.down or now - self._current_at > PATIENCE_S:
            self.down = True
            raise Unavailable("the index", "the process that holds the lease has not filled it")

    async def _stored(self) -> Ids:
        with self._watched():
            return await self._index.held()

    async def _change(self, ids: Ids, contents: Sequence[Content], remove: Ids) -> None:
        self._must_be_open()
        with self._watched():
            await self._index.apply(ids, contents, remove=remove)

    async def _alive(self, surplus: Ids) -> Ids:
        """What the catalog still has: superseded a moment ago, or added by a process ahead."""
        if not self._shared or not len(surplus):
            return NOTHING
        alive = [ids async for ids, _ in self.source(surplus)]
        return np.unique(np.concatenate([NOTHING, *alive]))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except Unavailable:
            self.down, self._held = True, None
            raise

    async def audit(self, wanted: Ids) -> Audit:
        """Compare the index with what it is to hold, and with its own checksums."""
        held = await self._stored()
        missing, surplus = await asyncio.to_thread(_difference, wanted, held)
        return Audit(len(held), len(missing), len(surplus), tuple(await self._index.faults()))

    async def save(self) -> None:
        """Make the index durable, if it has changed since it last was."""
        if self._changed and not self._closed:
            await self._index.save()
            self._changed = False

    def close(self) -> None:
        """Use the index no more: whoever opened it is about to close it."""
        self._closed = True

    async def release(self) -> None:
        """Use the index no more, and close it now where whoever opened it lets us."""
        self.close()
        if self._release:
            await self._release()

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
    """What is wanted and not held, and the other way round; both ascend, and mostly begin alike."""
    if wanted is held:
        return NOTHING, NOTHING
    alike = min(len(wanted), len(held))
    others = np.flatnonzero(wanted[:alike] != held[:alike])
    alike = int(others[0]) if len(others) else alike
    wanted, held = wanted[alike:], held[alike:]
    return (
        np.setdiff1d(wanted, held, assume_unique=True),
        np.setdiff1d(held, wanted, assume_unique=True),
    )
