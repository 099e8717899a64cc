"""An inverted file of eight-bit vectors over the first slots: mapped from disk, never changed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import numpy.typing as npt

from adapters.vectors.rows import Slots, cosines
from orchestrator.ports.arrays import Vector

MOST_LISTS: Final = 512
ENOUGH: Final = 20_000
"""A search looks into the nearest lists until they hold so many vectors that may be seen."""

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sight:
    """What a selection lets a search see: as bits by slot, and how many vectors of each list."""

    bits: npt.NDArray[np.uint8]
    counts: Counts

    @cached_property
    def selector(self) -> Any:
        """The bits as FAISS takes them."""
        return faiss.IDSelectorBitmap(self.bits)


class InvertedLists:
    """Lists around trained centroids (Jégou, Douze and Schmid, TPAMI 2011), in two files.

    `NAME.ivf` is FAISS's own, `NAME.sums` has a checksum for each list and one for what stands
    before the first. A vector is erased in place.
    """

    def __init__(
        self, folder: Path, name: str, *, dimension: int, slots: int, writes: bool
    ) -> None:
        """Map the files.

        Raises:
            ValueError, RuntimeError, OSError: when they are damaged, or not there.
        """
        self._path = folder / f"{name}.ivf"
        self._sums_path = folder / f"{name}.sums"
        self._writes = writes
        self.name = name
        self.slots = slots
        self._index = _read(self._path)
        if self._index.d != dimension:
            raise ValueError(f"the lists have {self._index.d} dimensions, not {dimension}")
        lists = faiss.downcast_InvertedLists(self._index.invlists)
        if not isinstance(lists, faiss.OnDiskInvertedLists):
            raise ValueError("the lists cannot be mapped")  # noqa: TRY004  # a damaged file
        lists.prefetch_nthread = 0  # else every search starts threads
        self._lists = lists
        self._sums = np.fromfile(self._sums_path, np.uint32)
        self._placed = self._places()
        self._centroids = self._index.quantizer.reconstruct_n(0, self._index.nlist)

    @property
    def covered(self) -> Mask:
        """For each slot, whether a sound list holds it."""
        covered: Mask = self._placed >= 0
        return covered

    def sight(self, allowed: Mask, known: Iterable[Sight] = ()) -> Sight:
        """Prepare searches among the slots allowed, unless that was done for others like them."""
        seen = allowed[: self.slots] & self.covered
        bits = np.packbits(seen, bitorder="little")
        for sight in known:
            if np.array_equal(sight.bits, bits):
                return sight
        return Sight(bits, np.bincount(self._placed[seen], minlength=self._index.nlist))

    def search(self, question: Vector, sight: Sight, limit: int) -> Slots:
        """The slots that are probably nearest, at most `limit`, in no order that counts."""
        lists, likeness = self._nearest(question, sight.counts)
        if not len(lists):
            return np.empty(0, np.int64)
        scores, slots = np.empty(limit, np.float32), np.empty(limit, np.int64)
        self._index.search_preassigned_c(
            1,
            *(faiss.swig_ptr(question), limit, faiss.swig_ptr(lists), faiss.swig_ptr(likeness)),
            *(faiss.swig_ptr(scores), faiss.swig_ptr(slots)),
            False,
            faiss.SearchParametersIVF(nprobe=len(lists), sel=sight.selector),
        )
        return slots[slots >= 0]

    def erase(self, slots: Slots) -> None:
        """Blank what is stored of the slots' vectors."""
        if not self._writes:
            return
        gone = slots[slots < self.slots]
        size = self._index.code_size
        with self._path.open("r+b") as file, self._sums_path.open("r+b") as sums:
            for number in np.unique(self._placed[gone]).tolist():
                if number < 0:
                    continue
                one = self._lists.lists.at(number)
                for at in np.flatnonzero(np.isin(self._ids(number), gone)).tolist():
                    os.pwrite(file.fileno(), bytes(size), one.offset + at * size)
                self._sums[number] = self._sum(file.fileno(), number)
                os.pwrite(sums.fileno(), self._sums[number].tobytes(), number * 4)

    def damaged(self) -> list[int]:
        """The lists whose files are not what was written."""
        with self._path.open("rb") as file:
            return [
                number
                for number in range(self._index.nlist)
                if self._sum(file.fileno(), number) != self._sums[number]
            ]

    def _nearest(self, question: Vector, counts: Counts) -> tuple[Slots, Vector]:
        """The nearest lists that hold anything to be seen, with their centroids' likeness."""
        open_ = np.flatnonzero(counts)
        likeness = cosines(self._centroids, question)
        if len(open_) > MOST_LISTS:
            near = np.argpartition(-likeness[open_], MOST_LISTS)[:MOST_LISTS]
            open_ = open_[near]
        open_ = open_[np.argsort(-likeness[open_])]
        enough = int(np.searchsorted(np.cumsum(counts[open_]), ENOUGH)) + 1
        return open_[:enough], likeness[open_[:enough]]

    def _places(self) -> npt.NDArray[np.int32]:
        """The list of each slot; -1 where none, or only a damaged one, holds it."""
        if len(self._sums) != self._index.nlist + 1:
            raise ValueError("the checksums are cut short")
        placed = np.full(self.slots, -1, np.int32)
        with self._path.open("rb") as file:
            if self._sum(file.fileno(), self._index.nlist) != self._sums[-1]:
                raise ValueError("the checksum of the centroids does not match")
            for number in range(self._index.nlist):
                if self._sum(file.fileno(), number) == self._sums[number]:
                    placed[self._ids(number)] = number
        return placed

    def _ids(self, number: int) -> Slots:
        count = self._lists.list_size(number)
        if not count:
            return np.empty(0, np.int64)
        slots: Slots = faiss.rev_swig_ptr(self._lists.get_ids(number), count)
        return slots

    def _sum(self, file: int, number: int) -> int:
        return zlib.crc32(os.pread(file, *_stretch(self._index, self._lists, number)))


def checksums(path: Path) -> npt.NDArray[np.uint32]:
    """One for each list of a file, and one for what stands before the first."""
    index = _read(path)
    lists = faiss.downcast_InvertedLists(index.invlists)
    with path.open("rb") as file:
        return np.array(
            [
                zlib.crc32(os.pread(file.fileno(), *_stretch(index, lists, number)))
                for number in range(index.nlist + 1)
            ],
            np.uint32,
        )


def _stretch(index: Any, lists: Any, number: int) -> tuple[int, int]:
    """How many bytes of the file are a list's, codes and slots, and where they begin."""
    if number == index.nlist:
        return min(lists.lists.at(n).offset for n in range(index.nlist)), 0
    one = lists.lists.at(number)
    return one.size * (index.code_size + 8), one.offset


def _read(path: Path) -> Any:
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
