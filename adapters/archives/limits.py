"""What an archive may hold that is unpacked entry by entry, and a file that keeps reads small."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO, Final

from adapters.parser.archive import unsafe

ADVICE: Final = "unpack it, and ingest the folder"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most files, bytes of one, and bytes of all."""

    entry_bytes: int
    entries: int = 50_000
    bytes: int = 20 << 30


@dataclass(slots=True)
class Tally:
    """What a walk has come across so far."""

    limits: Limits
    entries: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count an entry.

        Raises:
            Unsupported: when there are more than the limits allow.
        """
        self.entries += 1
        self.bytes += size
        if self.entries > self.limits.entries:
            raise unsafe(f"it holds more than {self.limits.entries} files: {ADVICE}")
        if self.bytes > self.limits.bytes:
            raise unsafe(f"it unpacks to more than {self.limits.bytes >> 20} MB: {ADVICE}")


class Sparing:
    """A file that never hands out more than so many bytes at once, whatever its content asks."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """Read.

        Raises:
            Unsupported: when more is wanted than an honest archive needs.
        """
        piece = self._file.read(min(size, self._most + 1) if size >= 0 else self._most + 1)
        if len(piece) > self._most:
            raise unsafe(f"its list of files is too long: {ADVICE}")
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Always."""
        return True
