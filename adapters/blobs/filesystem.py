"""Original files in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from orchestrator.domain.errors import NotFound, Unavailable

COPY_BYTES: Final = 1 << 20


class FilesystemBlobs:
    """`orchestrator.ports.blobs.BlobStore` below one folder; a file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: BinaryIO) -> None:
        """Write beside, flush to disk, and rename."""
        await asyncio.to_thread(self._write, self._path(key), content)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """The file itself."""
        path = self._path(key)
        if not await asyncio.to_thread(path.is_file):
            raise NotFound(f"no blob is stored under '{key}'")
        yield path

    async def purge(self, prefix: str) -> None:
        """Remove the folder of that name."""
        path = self._path(prefix)
        try:
            await asyncio.to_thread(shutil.rmtree, path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise Unavailable("blobs", error.strerror or "an error of the disk") from error

    async def ping(self) -> None:
        """Make sure that the folder can be written to."""
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable("blobs", error.strerror or "an error of the disk") from error
        if not os.access(self._folder, os.W_OK):
            raise Unavailable("blobs", "the folder cannot be written to")

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or any(part in {"..", "/", ""} for part in parts):
            raise ValueError(f"not a blob key: {key!r}")
        return self._folder.joinpath(*parts)

    @staticmethod
    def _write(path: Path, content: BinaryIO) -> None:
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                shutil.copyfileobj(content, file, COPY_BYTES)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise Unavailable("blobs", error.strerror or "an error of the disk") from error
