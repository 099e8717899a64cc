"""Archives whose files become documents, each its own."""

from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Protocol


class Entry(Protocol):
    """A file in an archive, while the walk that gave it stands there."""

    @property
    def path(self) -> str:
        """Where it lies in the archive, by slashes, as the archive says it."""
        ...

    @property
    def size(self) -> int:
        """In bytes, as declared."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why it must not be read, if so: a link, a path that leads out, too large."""
        ...

    def copy(self, into: BinaryIO) -> None:
        """Write its bytes, a piece at a time; blocking.

        Raises:
            Unsupported: when it is refused, broken, or not what it declares.
        """
        ...


class Archives(Protocol):
    """Reads one kind of archive, within limits that a hostile one cannot go beyond.

    `endings` are those of its files' names, in lower case.
    """

    endings: tuple[str, ...]

    def walk(self, archive: Path) -> Generator[Entry, None, None]:
        """Every file of the archive in its order; nothing is unpacked, blocking.

        Folders are left out. Archives within are files like others.

        Raises:
            Unsupported: when it is broken, or holds more than the limits allow.
            OSError: when it cannot be opened.
        """
        ...
