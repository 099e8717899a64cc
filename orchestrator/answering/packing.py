"""Packing: what is given to a language model of the passages that were found, within its window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from orchestrator.answering.compressing import Compression
from orchestrator.answering.merging import Joint, distinct, joints
from orchestrator.domain.answers import Packing, Query
from orchestrator.domain.errors import TooLarge
from orchestrator.domain.passages import Passage
from orchestrator.ports.measured import Measured

LEAST: Final = 32
"""With fewer tokens left, no passage is compressed to fit."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The passages to be given, best first, and those of which they hold text; the trace of it."""

    passages: Sequence[Passage]
    used: Sequence[Passage]
    trace: Packing | None = None


class Packer:
    """Fits passages into what `measured` has room for; without it, all are given as they are."""

    def __init__(self, measured: Measured | None = None) -> None:
        self._measured = measured

    async def pack(self, query: Query, passages: Sequence[Passage]) -> Packed:
        """Duplicates go, neighbours become one, and what does not fit is compressed or left out.

        Raises:
            TooLarge: when not one sentence of them fits.
        """
        if self._measured is None or not passages:
            return Packed(passages, passages)
        kept = distinct(passages)
        found = joints(kept)
        # One after the other: both at once take two tasks, in which most wait for their turn.
        room = await self._measured.room(query)
        sizes = await self._measured.sizes([one.passage for one in found])
        load = _Load(room, found, sizes)
        compression = Compression(query.text, passages)
        for at in load.by_worth():
            if load.fits(at):
                load.take(at, found[at].passage, sizes[at])
            elif at == 0:
                await self._take_shortened(at, compression, load)
        for at in load.waiting():
            await self._take_shortened(at, compression, load)
        if not load.taken:
            raise TooLarge(
                f"question, prompt and answer leave {max(room, 0)} tokens of the model's window: "
                "not one sentence of what was found fits"
            )
        ids = {one.chunk.id for one in kept}
        return load.packed([one for one in passages if one.chunk.id not in ids])

    async def _take_shortened(self, at: int, compression: Compression, load: _Load) -> None:
        """Take the sentences of it that matter, as many as still fit, if any do."""
        assert self._measured is not None
        share = load.left / load.sizes[at] if load.left >= LEAST else 0.0
        while shorter := compression.of(load.found[at].passage, share):
            [size] = await self._measured.sizes([shorter])
            if size <= load.left:
                load.take(at, shorter, size)
                return
            share *= min(0.8, load.left / size)


class _Load:
    """What was taken so far, of joints that each have a size."""

    def __init__(self, room: int, found: Sequence[Joint], sizes: Sequence[int]) -> None:
        self.room = room
        self.found = found
        self.sizes = sizes
        self.taken: dict[int, tuple[Passage, int]] = {}

    @property
    def left(self) -> int:
        """How many tokens there is still room for."""
        return self.room - sum(size for _, size in self.taken.values())

    def by_worth(self) -> Sequence[int]:
        """The best, and then those that are worth most for each token."""
        worth = [one.passage.score / size for one, size in zip(self.found, self.sizes, strict=True)]
        return [0, *sorted(range(1, len(worth)), key=lambda at: (-worth[at], at))]

    def fits(self, at: int) -> bool:
        """Whether it fits whole."""
        return self.sizes[at] <= self.left

    def take(self, at: int, passage: Passage, size: int) -> None:
        """Give it, in this form."""
        self.taken[at] = passage, size

    def waiting(self) -> Sequence[int]:
        """The places of what is not taken, best first."""
        return [at for at in range(len(self.found)) if at not in self.taken]

    def packed(self, duplicates: Sequence[Passage]) -> Packed:
        """All that was taken, best first."""
        given = sorted(self.taken)
        shown = [self.found[at] for at in given]
        passages = [self.taken[at][0] for at in given]
        shorter = [two for one, two in zip(shown, passages, strict=True) if two is not one.passage]
        trace = Packing(
            given=len(given),
            tokens=self.room - self.left,
            budget=self.room,
            merged=_ids(chain.from_iterable(one.absorbed for one in shown)),
            duplicates=_ids(duplicates),
            compressed=_ids(shorter),
            left_out=_ids(chain.from_iterable(self.found[at].members for at in self.waiting())),
        )
        return Packed(passages, list(chain.from_iterable(one.members for one in shown)), trace)


def _ids(passages: Iterable[Passage]) -> tuple[str, ...]:
    return tuple(str(one.chunk.id) for one in passages)
