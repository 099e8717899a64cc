"""A form of many files, received into one temporary file: small in memory, however many."""

from __future__ import annotations

import asyncio
import errno
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import BinaryIO, Final, cast

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from orchestrator.domain.errors import Rejected

FIELD_BYTES: Final = 10_000_000
"""For the parts that are not files, together."""
GATHERED_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Received:
    """A file of the form: its name, and where its bytes are."""

    filename: str
    content: BinaryIO
    size: int


@dataclass(slots=True)
class Form:
    """What came: fields by name, and files in order."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Received] = field(default_factory=list)


class Window(io.RawIOBase):
    """A part of a file, as a file to be read while that is open."""

    def __init__(self, whole: BinaryIO, start: int, size: int) -> None:
        self._whole = whole
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Within the window."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        """Read at the window's own position; others may read the same file."""
        wanted = min(len(buffer), max(0, self._size - self._at))
        if self._whole.closed:  # its number may be another file's by now
            raise OSError(errno.EBADF, "the form is gone")
        data = os.pread(self._whole.fileno(), wanted, self._start + self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Parts:
    """Takes what the parser finds: bytes of files to the spool, of fields to memory."""

    def __init__(self, spool: BinaryIO, max_files: int) -> None:
        self.form = Form()
        self._spool = spool
        self._max_files = max_files
        self._fields = 0
        self._begin()

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """By the parser's names for them."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._header, self._value, self._disposition = b"", b"", b""
        self._name = ""
        self._filename: str | None = None
        self._body, self._start = bytearray(), self._spool.tell()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._filename = options[b"filename"].decode("utf-8", "replace")
            if len(self.form.files) == self._max_files:
                raise Rejected(
                    f"the form holds more than {self._max_files} files",
                    code="too_many",
                    field="files",
                )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._filename is not None:
            self._spool.write(data[start:end])
            return
        self._fields += end - start
        if self._fields > FIELD_BYTES:
            raise Rejected(f"the form's fields are larger than {FIELD_BYTES} bytes")
        self._body += data[start:end]

    def _end(self) -> None:
        if self._filename is None:
            self.form.fields[self._name] = self._body.decode("utf-8", "replace")
            return
        size = self._spool.tell() - self._start
        window = io.BufferedReader(Window(self._spool, self._start, size))
        self.form.files.append(Received(self._filename, cast("BinaryIO", window), size))


@asynccontextmanager
async def spooled(request: Request, *, max_files: int) -> AsyncIterator[Form]:
    """The form of a multipart request; its files are gone when the block ends.

    Raises:
        Rejected: when it is none, or holds too many files.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise Rejected("send multipart/form-data, or application/json", code="invalid_form")
    with TemporaryFile() as spool:
        parts = _Parts(cast("BinaryIO", spool), max_files)
        parser = MultipartParser(options[b"boundary"], parts.callbacks())  # type: ignore[arg-type]
        try:
            async for piece in _gathered(request):
                await asyncio.to_thread(parser.write, piece)
            parser.finalize()
        except FormParserError as error:
            raise Rejected(f"the form cannot be read: {error}", code="invalid_form") from error
        await asyncio.to_thread(spool.flush)
        yield parts.form


async def _gathered(request: Request) -> AsyncIterator[bytes]:
    gathered = bytearray()
    async for piece in request.stream():
        gathered += piece
        if len(gathered) >= GATHERED_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
