"""Tar files, packed by gzip or not, from their beginning to their end."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from adapters.archives.limits import ADVICE, Limits, Tally
from adapters.parser.archive import MAX_RATIO, PIECE, SMALL, leads_out, shown, unsafe
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.archives import Entry

HEADER_BYTES: Final = 1 << 16
"""Of what the archive says of one entry."""
COMMON: Final = 100
"""Of what it says of all entries from here on."""
GZIP: Final = b"\x1f\x8b"


class TarArchives:
    """`orchestrator.ports.archives.Archives`; one entry's header is all that memory holds."""

    endings: tuple[str, ...] = (".tar", ".tar.gz", ".tgz")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def walk(self, archive: Path) -> Generator[Entry, None, None]:
        """One header after another; an archive that stops short is broken."""
        with archive.open("rb") as file, _unpacked(file) as content:
            stream = Stream(file, content, self._limits)
            tally = Tally(self._limits)
            with _translated():
                tar = tarfile.TarFile(fileobj=cast("IO[bytes]", stream), mode="r")
            while entry := self._next(tar, stream):
                tally.add(0 if entry.refusal else entry.size)
                if not entry.folder:
                    yield entry
            if stream.last.strip(b"\0"):
                raise _broken("it ends in the middle")

    def _next(self, tar: tarfile.TarFile, stream: Stream) -> TarEntry | None:
        stream.room = HEADER_BYTES
        with _translated():
            info = tar.next()
        tar.members = []  # type: ignore[attr-defined]  # the list would grow with the archive
        if len(tar.pax_headers) > COMMON:
            raise unsafe(f"it says too much of its files in common: {ADVICE}")
        return TarEntry(tar, info, stream, self._refusal(info)) if info else None

    def _refusal(self, info: tarfile.TarInfo) -> str | None:
        if leads_out(info.name):
            return f"the path '{shown(info.name)}' leads out of it"
        if info.issym() or info.islnk():
            return "it is a link"
        if info.issparse():
            return "it is packed in a way that is not read"
        if not (info.isreg() or info.isdir()) or info.size < 0:
            return "it is no file"
        if info.size > self._limits.entry_bytes:
            return f"it is larger than {self._limits.entry_bytes >> 20} MB"
        return None


class TarEntry:
    """`orchestrator.ports.archives.Entry`."""

    def __init__(
        self, tar: tarfile.TarFile, info: tarfile.TarInfo, stream: Stream, why: str | None
    ) -> None:
        self._tar = tar
        self._info = info
        self._stream = stream
        self.path = info.name
        self.size = info.size
        self.refusal = why
        self.folder = info.isdir() and why is None

    def copy(self, into: BinaryIO) -> None:
        """Read the bytes that follow the header."""
        if self.refusal:
            raise Unsupported(f"'{shown(self.path)}' cannot be read: {self.refusal}")
        self._stream.room = self.size
        left = self.size
        while left:
            with _translated():
                piece = self._stream.read(min(left, PIECE))
            if not piece:
                raise _broken("it ends in the middle")
            left -= len(piece)
            into.write(piece)


class Stream:
    """The archive's bytes, forwards only; no more at once than there is `room` for.

    `last` is what was read last: at the end of a whole archive, zeros or nothing.
    """

    def __init__(self, file: BinaryIO, content: BinaryIO, limits: Limits) -> None:
        self._file = file
        self._content = content
        self._packed = file is not content
        self._most = limits.bytes * 2
        self._at = 0
        self.room = HEADER_BYTES
        self.last = b""

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            Unsupported: when more is wanted than there is room for, or has come of too little.
        """
        self.room -= size
        if size < 0 or self.room < 0:
            raise unsafe(f"it says too much of one of its files: {ADVICE}")
        self.last = self._content.read(size)
        self._passed(len(self.last))
        return self.last

    def seek(self, offset: int) -> int:
        """Skip to a place that was not passed yet."""
        if offset < self._at:
            raise tarfile.ReadError("it leads back")
        if not self._packed:
            self._at = self._content.seek(offset)
        while self._at < offset:
            if not (piece := self._content.read(min(PIECE, offset - self._at))):
                raise tarfile.ReadError("unexpected end of data")
            self._passed(len(piece))
        return self._at

    def tell(self) -> int:
        """How much was passed."""
        return self._at

    def _passed(self, size: int) -> None:
        self._at += size
        if self._packed and self._at > max(SMALL, self._file.tell() * MAX_RATIO):
            raise unsafe(f"it would unpack to more than {MAX_RATIO} times its size")
        if self._at > self._most:
            raise unsafe(f"it is larger than {self._most >> 20} MB: {ADVICE}")


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    head = file.read(len(GZIP))
    file.seek(0, os.SEEK_SET)
    if head != GZIP:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as content:
        yield cast("BinaryIO", content)


def _broken(reason: str) -> Unsupported:
    return Unsupported(f"the tar file is broken: {reason}", code="broken_file")


@contextmanager
def _translated() -> Iterator[None]:
    """The errors of the libraries for tar and gzip as ours."""
    try:
        yield
    except (
        tarfile.TarError,
        zlib.error,
        EOFError,
        ValueError,
        OverflowError,
        RecursionError,
        OSError,
    ) as error:
        raise _broken(str(error)) from error
