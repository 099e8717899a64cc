"""Vectors in slots, numbered as they came: two files that are only appended to and blanked."""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import faiss
import numpy as np
import numpy.typing as npt

from orchestrator.ports.arrays import Ids, Room, Vector, Vectors

ERASED: Final = -1
"""The chunk id of a slot whose vector was removed, and of one that was found damaged."""

RECORD: Final = np.dtype([("id", "<i8"), ("crc", "<u4"), ("check", "<u4")])
ROOM: Final = 1024
"""The least number of slots that a file grows by."""

Slots = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Crcs = npt.NDArray[np.uint32]


class VectorRows:
    """What a slot holds is written after its vector, each with a checksum.

    A slot that was torn by a crash or damaged since counts as erased: whoever knows what should be
    held adds it again. Without `writes`, files are read, and what is added stays in memory.
    """

    def __init__(self, dimension: int, *, writes: bool) -> None:
        self._dimension = dimension
        self._writes = writes
        self._files: list[int] = []
        self._mapped: Vectors = np.empty((0, dimension), np.float32)
        self._stored = 0
        self._memory: Vectors = np.empty((0, dimension), np.float32)
        self._crcs: Crcs = np.empty(0, np.uint32)
        self.ids: Ids = np.empty(0, np.int64)
        self._room, self._crc_room = Room[Ids](), Room[Crcs]()
        self.name = ""

    @property
    def live(self) -> Slots:
        """The slots that hold a vector, ascending."""
        return np.flatnonzero(self.ids != ERASED)

    def create(self, folder: Path) -> None:
        """Begin new, empty files."""
        self.name = f"rows-{secrets.token_hex(8)}"
        self._open(folder, os.O_RDWR | os.O_CREAT)

    def load(self, folder: Path, name: str) -> int:
        """Open files of that name; how many slots were found damaged.

        Raises:
            OSError: when a file is missing or cannot be read.
        """
        self.name = name
        self._open(folder, os.O_RDWR if self._writes else os.O_RDONLY)
        vectors, records = self._files
        data = _read(records)
        held = np.frombuffer(data[: len(data) - len(data) % RECORD.itemsize], RECORD)
        whole = min(len(held), os.fstat(vectors).st_size // self._row_bytes)
        sound = held["check"] == _check(held["id"], held["crc"])
        sound[whole:] = False
        ids = np.where(sound, held["id"], ERASED).astype(np.int64)
        self.ids = self._room.extended(self.ids, ids)
        self._crcs = self._crc_room.extended(self._crcs, held["crc"])
        self._stored = len(held)
        self._map()
        unsound = np.flatnonzero(~sound)
        if len(unsound):
            self.erase(unsound)
        return len(unsound)

    def append(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors in the next slots."""
        vectors = np.ascontiguousarray(vectors, np.float32).reshape(len(ids), self._dimension)
        if self._writes:
            self._write(self._stored, ids, vectors)
        else:
            self._remember(vectors)
        self.ids = self._room.extended(self.ids, ids)

    def erase(self, slots: Slots) -> None:
        """Blank vectors, on disk at once, and free their slots."""
        self.ids = self.ids.copy()
        self.ids[slots] = ERASED
        if not self._writes:
            return
        vectors, records = self._files
        blank = np.zeros(1, RECORD)
        blank["id"] = ERASED
        blank["check"] = _check(blank["id"], blank["crc"])
        for slot in slots.tolist():
            os.pwrite(vectors, bytes(self._row_bytes), slot * self._row_bytes)
            os.pwrite(records, blank.tobytes(), slot * RECORD.itemsize)

    def gather(self, slots: Slots) -> Vectors:
        """The vectors of some slots, `[len(slots), dimension]`."""
        if self._writes or not len(slots) or slots[-1] < self._stored:
            return self._mapped.take(slots, axis=0)
        inside = slots < self._stored
        out = np.empty((len(slots), self._dimension), np.float32)
        out[inside] = self._mapped.take(slots[inside], axis=0)
        out[~inside] = self._memory.take(slots[~inside] - self._stored, axis=0)
        return out

    def stretches(self, start: int) -> Iterator[tuple[int, Vectors]]:
        """All vectors from a slot on, as views: the first slot of each, and its rows."""
        if start < self._stored:
            yield start, self._mapped[start : self._stored]
        added = len(self.ids) - self._stored
        if added:
            begin = max(start - self._stored, 0)
            yield self._stored + begin, self._memory[begin:added]

    def damaged(self, slots: Slots) -> Slots:
        """Those of the slots whose vector in the file is not what was written."""
        if not self._files:
            return np.empty(0, np.int64)
        vectors = self._files[0]
        return np.array(
            [
                slot
                for slot in slots[slots < self._stored].tolist()
                if zlib.crc32(os.pread(vectors, self._row_bytes, slot * self._row_bytes))
                != self._crcs[slot]
            ],
            np.int64,
        )

    def flush(self) -> None:
        """Make what was appended and erased durable."""
        if self._writes:
            for file in self._files:
                os.fsync(file)

    def close(self) -> None:
        """Let go of the files, and of the room that was left for more."""
        files, self._files = self._files, []
        self._mapped = np.empty((0, self._dimension), np.float32)
        for file in files:
            if self._writes and file == files[0]:
                os.ftruncate(file, self._stored * self._row_bytes)
            os.close(file)

    @property
    def _row_bytes(self) -> int:
        return 4 * self._dimension

    def _open(self, folder: Path, flags: int) -> None:
        for suffix in ("vectors", "slots"):
            path = folder / f"{self.name}.{suffix}"
            self._files.append(os.open(path, flags | os.O_CLOEXEC, 0o600))

    def _write(self, start: int, ids: Ids, vectors: Vectors) -> None:
        rows, records = self._files
        entries = np.zeros(len(ids), RECORD)
        entries["id"] = ids
        entries["crc"] = [zlib.crc32(row) for row in vectors]
        entries["check"] = _check(entries["id"], entries["crc"])
        _write(rows, vectors.tobytes(), start * self._row_bytes)
        _write(records, entries.tobytes(), start * RECORD.itemsize)
        self._crcs = self._crc_room.extended(self._crcs, entries["crc"])
        self._stored = start + len(ids)
        if self._stored > len(self._mapped):
            self._map()

    def _map(self) -> None:
        """Map the vectors again, where there is to be more with room for them."""
        file = self._files[0]
        rows = self._stored
        if self._writes:
            rows += max(ROOM, rows // 4)
            os.ftruncate(file, rows * self._row_bytes)
        rows = min(rows, os.fstat(file).st_size // self._row_bytes)
        self._mapped = np.empty((0, self._dimension), np.float32)
        if rows:
            with os.fdopen(os.dup(file), "rb") as readable:
                shape = (rows, self._dimension)
                self._mapped = np.memmap(readable, np.float32, "r", shape=shape)

    def _remember(self, vectors: Vectors) -> None:
        before = len(self.ids) - self._stored
        after = before + len(vectors)
        if after > len(self._memory):
            larger = np.empty((max(ROOM, 2 * after), self._dimension), np.float32)
            larger[:before] = self._memory[:before]
            self._memory = larger
        self._memory[before:after] = vectors


def alone() -> None:
    """Let FAISS use the calling thread only: helpers would go on turning after each search."""
    faiss.omp_set_num_threads(1)


def cosines(rows: Vectors, question: Vector) -> Vector:
    """The inner product of each row with a unit vector, by one thread.

    That of numpy has threads of its own, which go on turning for long after each product.
    """
    rows = np.ascontiguousarray(rows)
    found = np.empty(len(rows), np.float32)
    if len(rows):
        faiss.fvec_inner_products_ny(
            faiss.swig_ptr(found),
            faiss.swig_ptr(question),
            faiss.swig_ptr(rows),
            rows.shape[1],
            len(rows),
        )
    return found


def scan(
    question: Vector, rows: Vectors, allowed: Mask, count: int, first: int
) -> tuple[Slots, Vector]:
    """The best `count` of some rows, exactly; slots are counted from `first`."""
    scores = np.empty(count, np.float32)
    places = np.empty(count, np.int64)
    selector = None
    if not allowed.all():
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(bits)
    faiss.knn_inner_product(
        faiss.swig_ptr(question),
        faiss.swig_ptr(rows),
        rows.shape[1],
        1,
        len(rows),
        count,
        faiss.swig_ptr(scores),
        faiss.swig_ptr(places),
        selector,
    )
    there = places >= 0
    return places[there] + first, scores[there]


def remove(folder: Path, keep: Sequence[str]) -> None:
    """Erase every file whose name does not begin with one of those kept."""
    for path in folder.iterdir():
        if not path.name.startswith(tuple(keep)):
            with suppress(FileNotFoundError):
                path.unlink()


def _check(ids: Ids, crcs: Crcs) -> Crcs:
    """A checksum of what a slot says: a multiplicative hash of both numbers."""
    mixed = (ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ crcs.astype(np.uint64)
    hashed: Crcs = ((mixed * np.uint64(0xC2B2AE3D27D4EB4F)) >> np.uint64(32)).astype(np.uint32)
    return hashed


def _read(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write(file: int, data: bytes, offset: int) -> None:
    """All of it: one call writes at most two gigabytes, and may be interrupted."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written
