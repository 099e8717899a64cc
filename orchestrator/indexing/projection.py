"""One index of one workspace, kept abreast of the roster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import numpy as np

from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.indexing.roster import Roster
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import Index

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


class Projection(Generic[Content, Question]):
    """An index that follows the log: `revision` is the last one of which it holds everything."""

    def __init__(
        self,
        index: Index[Content, Question],
        source: Source,
        *,
        release: Release | None = None,
    ) -> None:
        self._index = index
        self._release = release
        self.source = source
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

    async def catch_up(self, roster: Roster, *, most: int | None = None) -> bool:
        """Add what the roster has and the index lacks; remove what it has no more.

        Of what is lacking, at most so many are added; whether that was all.
        """
        wanted, revision = roster.ids, roster.revision
        held = await self._index.held() if self._held is None else self._held
        missing, surplus = await asyncio.to_thread(_difference, wanted, held)
        now, later = missing[:most], missing[len(missing[:most]) :]
        async for ids, contents in _together(self.source(now)):
            self._must_be_open()
            await self._index.apply(ids, contents, remove=NOTHING)
        if len(surplus):
            self._must_be_open()
            await self._index.apply(NOTHING, (), remove=surplus)
        self._changed |= bool(len(now) or len(surplus))
        self._held = np.setdiff1d(wanted, later, assume_unique=True) if len(later) else wanted
        if len(later) == 0:
            self.revision = revision
        return len(later) == 0

    def share(self, roster: Roster) -> float:
        """How much it holds of what it is to hold, in [0, 1]."""
        held = 0 if self._held is None else len(self._held)
        return min(1.0, held / len(roster.ids)) if len(roster.ids) else 1.0

    async def held(self) -> Ids:
        """The ids that the index itself says it holds."""
        self._must_be_open()
        return await self._index.held()

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
    if wanted is held:
        return NOTHING, NOTHING
    return (
        np.setdiff1d(wanted, held, assume_unique=True),
        np.setdiff1d(held, wanted, assume_unique=True),
    )
