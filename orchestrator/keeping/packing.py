"""Files packed into parts of a backup, and out of them."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Self

from orchestrator.domain.errors import Rejected
from orchestrator.keeping.manifest import Part

PART_BYTES: Final = 1 << 30
"""A part that has so much is followed by another."""


class Packer:
    """Appends files to parts named after `kind`, in a folder; blocking."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._sink: _Sink | None = None
        self._archive: tarfile.TarFile | None = None
        self._packed = 0
        self.parts: list[Part] = []
        self.files = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def add(self, name: str, path: Path) -> int:
        """Append a file; its size."""
        with path.open("rb") as content:
            entry = tarfile.TarInfo(name)
            entry.size = os.fstat(content.fileno()).st_size
            self._open().addfile(entry, content)
        self.files += 1
        self._packed += entry.size
        if self._packed >= PART_BYTES:
            self._finish()
        return entry.size

    def _open(self) -> tarfile.TarFile:
        if self._archive is None:
            path = self._folder / f"{self._kind}-{len(self.parts) + 1:05}.tar"
            self._sink = _Sink(path)
            self._archive = tarfile.open(fileobj=self._sink, mode="w|", format=tarfile.PAX_FORMAT)  # type: ignore[call-overload]  # noqa: SIM115  # a sink only has to write; closed in _finish
        return self._archive

    def _finish(self) -> None:
        if self._archive and self._sink:
            self._archive.close()
            self.parts.append(self._sink.close())
            self._archive = self._sink = None
            self._packed = 0


class _Sink:
    """A file that is hashed as it is written, and is on the disk once it is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._digest.update(piece)
        self.size += len(piece)
        return self._file.write(piece)

    def close(self) -> Part:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Part(self._path.name, self.size, self._digest.hexdigest())


def unpacked(path: Path) -> Iterator[tuple[str, int, BinaryIO]]:
    """Each file of a part with its name, which is not to be trusted, and size; blocking.

    Raises:
        Rejected: when it holds anything but files, or cannot be read.
    """
    try:
        with tarfile.open(path, "r|") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise Rejected(f"{path.name} holds what is no file: '{entry.name}'")
                yield entry.name, entry.size, content  # type: ignore[misc]  # it reads, which is all that is wanted
    except tarfile.TarError as error:
        raise Rejected(f"{path.name} cannot be read: {error}") from error
