"""Zip files, entry by entry."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from adapters.archives.limits import Limits, Sparing, Tally
from adapters.parser.archive import (
    HEAD_BYTES,
    PIECE,
    Archive,
    Counted,
    danger,
    shown,
    span,
    translated,
)
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.archives import Entry

DIRECTORY_BYTES: Final = 16 << 20
"""Of the list of entries, which is read at once."""


class ZipArchives:
    """`orchestrator.ports.archives.Archives`; the list at its end is all that memory holds."""

    endings: tuple[str, ...] = (".zip",)

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def walk(self, archive: Path) -> Generator[Entry, None, None]:
        """By the list; entries that share bytes with one before them are refused."""
        with archive.open("rb") as file, _opened(file) as packed:
            entries = [entry for entry in packed.infolist() if not entry.is_dir()]
            shared = _shared(entries, file, packed.start_dir)
            tally = Tally(self._limits)
            for entry in entries:
                refusal = shared.get(entry) or self._refusal(entry)
                tally.add(0 if refusal else entry.file_size)
                yield ZipEntry(packed, entry, refusal)

    def _refusal(self, entry: zipfile.ZipInfo) -> str | None:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFLNK}:
            return "it is no file"
        return danger(entry) or Archive.refusal(entry, most=self._limits.entry_bytes)


class ZipEntry:
    """`orchestrator.ports.archives.Entry`."""

    def __init__(self, packed: zipfile.ZipFile, entry: zipfile.ZipInfo, why: str | None) -> None:
        self._packed = packed
        self._entry = entry
        self.path = entry.filename.replace("\\", "/")
        self.size = entry.file_size
        self.refusal = why

    def copy(self, into: BinaryIO) -> None:
        """Inflate piece by piece; the checksum is compared at the end."""
        if self.refusal:
            raise Unsupported(f"'{shown(self.path)}' cannot be read: {self.refusal}")
        with translated():
            stream = self._packed.open(self._entry)
        with stream:
            counted = Counted(stream, self._entry)
            while piece := _read(counted):
                into.write(piece)


def _read(stream: Counted) -> bytes:
    with translated():
        return stream.read(PIECE)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    with translated():
        packed = zipfile.ZipFile(cast("IO[bytes]", Sparing(file, DIRECTORY_BYTES)))
    with packed:
        yield packed


def _shared(
    entries: Sequence[zipfile.ZipInfo], file: BinaryIO, directory: int
) -> dict[zipfile.ZipInfo, str]:
    """The entries without bytes of their own, and why."""
    refused: dict[zipfile.ZipInfo, str] = {}
    reached = 0
    for entry in sorted(entries, key=lambda one: one.header_offset):
        file.seek(entry.header_offset)
        try:
            start, end = span(entry, file.read(HEAD_BYTES))
        except Unsupported:
            refused[entry] = "it is missing"
            continue
        if start < reached or end > directory:
            refused[entry] = "its bytes are those of another, too"
        else:
            reached = end
    return refused
