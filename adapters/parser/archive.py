"""Zip files, looked over before anything in them is inflated."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Final

from orchestrator.domain.errors import Unsupported

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 1 << 30
MAX_ENTRY_BYTES: Final = 128 << 20
MAX_RATIO: Final = 250
MAX_DEPTH: Final = 5
SMALL: Final = 4 << 20
"""Up to so many bytes an entry may be packed as tightly as it likes."""
PIECE: Final = 1 << 16
MAX_SHOWN: Final = 200
UNSAFE: Final = "unsafe_archive"
SIGNATURE: Final = b"PK\x03\x04"

_DIRECTORY: Final = b"PK\x01\x02"
_LOCAL: Final = struct.Struct("<4s5H3I2H")
HEAD_BYTES: Final = _LOCAL.size
_ENCRYPTED: Final = 0x1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(slots=True)
class Budget:
    """What an archive and all archives within it may hold together."""

    entries: int = MAX_ENTRIES
    bytes: int = MAX_BYTES

    def charge(self, entries: int, size: int) -> None:
        """Take what an archive declares off the budget.

        Raises:
            Unsupported: when there is less left.
        """
        if entries > self.entries:
            raise unsafe(f"it holds more than {MAX_ENTRIES} entries")
        if size > self.bytes:
            raise unsafe(f"it unpacks to more than {MAX_BYTES >> 20} MB")
        self.entries -= entries
        self.bytes -= size


class Archive:
    """A zip file that keeps to the limits by what it declares; reading holds it to its word."""

    def __init__(self, content: bytes, budget: Budget | None = None) -> None:
        budget = budget or Budget()
        if content.count(_DIRECTORY) > MAX_ENTRIES:  # before an object is made for each
            raise unsafe(f"it holds more than {MAX_ENTRIES} entries")
        with translated():
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        self.entries: Sequence[zipfile.ZipInfo] = self._zip.infolist()
        budget.charge(len(self.entries), sum(entry.file_size for entry in self.entries))
        for entry in self.entries:
            if reason := danger(entry):
                raise unsafe(reason)
        _check_places(self.entries, content, self._zip.start_dir)

    @property
    def names(self) -> frozenset[str]:
        """The path of every entry."""
        return frozenset(entry.filename for entry in self.entries)

    @staticmethod
    def refusal(entry: zipfile.ZipInfo, *, most: int = MAX_ENTRY_BYTES) -> str | None:
        """Why an entry is not to be read, if so; `most` are the bytes that it may hold."""
        if entry.flag_bits & _ENCRYPTED:
            return "it is encrypted"
        if stat.S_ISLNK(entry.external_attr >> 16):
            return "it is a link"
        if entry.compress_type not in _METHODS:
            return "it is packed in a way that is not read"
        if entry.file_size > most:
            return f"it is larger than {most >> 20} MB"
        return None

    def read(self, name: str) -> bytes:
        """An entry's bytes.

        Raises:
            Unsupported: when it is not to be read, or is not what it declares.
        """
        entry = self._zip.getinfo(name)
        if reason := self.refusal(entry):
            raise Unsupported(f"'{shown(name)}' cannot be read: {reason}", code="broken_file")
        with self.open(name) as stream:
            return b"".join(iter(lambda: stream.read(PIECE), b""))

    @contextmanager
    def open(self, name: str) -> Iterator[Counted]:
        """An entry as a stream, which ends in an error where it is longer than declared."""
        entry = self._zip.getinfo(name)
        with translated(), self._zip.open(entry) as stream:
            yield Counted(stream, entry)


class Counted:
    """Counts what comes out of an entry: headers may lie."""

    def __init__(self, stream: IO[bytes], entry: zipfile.ZipInfo) -> None:
        self._stream = stream
        self._entry = entry
        self._left = entry.file_size

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many.

        Raises:
            Unsupported: when there are more than the entry declares.
        """
        piece = self._stream.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise unsafe(f"'{shown(self._entry.filename)}' is longer than it declares")
        return piece


def unsafe(reason: str) -> Unsupported:
    """The refusal of a whole archive."""
    return Unsupported(f"the archive is refused: {reason}", code=UNSAFE)


def shown(name: str) -> str:
    """An entry's path as a person may read it."""
    plain = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return plain if len(plain) <= MAX_SHOWN else f"{plain[:MAX_SHOWN]}…"


@contextmanager
def translated() -> Iterator[None]:
    """The zip library's errors as ours."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        NotImplementedError,
        EOFError,
        OverflowError,
        ValueError,
        OSError,
    ) as error:
        raise Unsupported(f"the zip file is broken: {error}", code="broken_file") from error


def leads_out(path: str) -> bool:
    """Whether an entry's path is absolute, or climbs."""
    path = path.replace("\\", "/")
    return "\0" in path or path.startswith("/") or path[1:2] == ":" or ".." in path.split("/")


def danger(entry: zipfile.ZipInfo) -> str | None:
    """What shows that an entry was made to do harm, if anything."""
    if leads_out(entry.orig_filename):
        return f"the path '{shown(entry.orig_filename)}' leads out of it"
    if entry.file_size > max(SMALL, entry.compress_size * MAX_RATIO):
        return f"'{shown(entry.filename)}' would unpack to more than {MAX_RATIO} times its size"
    return None


def _check_places(entries: Sequence[zipfile.ZipInfo], content: bytes, directory: int) -> None:
    """Every entry has bytes of its own, before the directory."""
    spans = sorted(
        span(entry, content[entry.header_offset : entry.header_offset + HEAD_BYTES])
        for entry in entries
    )
    if spans and spans[-1][1] > directory:
        raise unsafe("an entry reaches into its directory")
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            raise unsafe("its entries overlap")


def span(entry: zipfile.ZipInfo, head: bytes) -> tuple[int, int]:
    """Where an entry's bytes begin and end, told from the first that it has, `HEAD_BYTES`."""
    with translated():
        fields = _LOCAL.unpack(head)
    if fields[0] != SIGNATURE:
        raise Unsupported("the zip file is broken: an entry is missing", code="broken_file")
    length = _LOCAL.size + fields[9] + fields[10] + entry.compress_size
    return entry.header_offset, entry.header_offset + length
