"""Virus scanning by clamd: the file goes to it over a socket, in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.domain.errors import Unavailable, Unsupported

PIECE: Final = 1 << 17
MAX_REPLY: Final = 4096
_LENGTH: Final = struct.Struct(">I")


class ClamdScanner:
    """`orchestrator.ports.scanner.Scanner`; a connection for each file, over TCP or a socket file.

    No step of the conversation takes more than `timeout_s` seconds.
    """

    def __init__(
        self, *, host: str, port: int, socket: Path | None = None, timeout_s: float
    ) -> None:
        self._host = host
        self._port = port
        self._socket = socket
        self._timeout_s = timeout_s

    async def scan(self, file: Path) -> str | None:
        """Send the file by `INSTREAM`, and read the verdict."""
        with await asyncio.to_thread(file.open, "rb") as content:
            reply = await self._ask(b"zINSTREAM\0", content)
        return _verdict(reply)

    async def ping(self) -> None:
        """Ask clamd for a pong."""
        if (reply := await self._ask(b"zPING\0")) != "PONG":
            raise Unavailable("clamd", f"it answered {reply!r}")

    async def _ask(self, command: bytes, content: BinaryIO | None = None) -> str:
        """Read while sending: clamd that has seen enough answers, and hangs up."""
        async with self._connected() as (reader, writer):
            reading = asyncio.create_task(reader.readuntil(b"\0"))
            try:
                with contextlib.suppress(ConnectionError):
                    await self._send(writer, command)
                    if content:
                        await self._send_file(writer, content, reading)
                async with asyncio.timeout(self._timeout_s):
                    reply = await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return reply[:-1].decode(errors="replace").strip()

    async def _send_file(
        self, writer: asyncio.StreamWriter, content: BinaryIO, reading: asyncio.Task[bytes]
    ) -> None:
        while not reading.done() and (piece := await asyncio.to_thread(content.read, PIECE)):
            await self._send(writer, _LENGTH.pack(len(piece)) + piece)
        await self._send(writer, _LENGTH.pack(0))

    async def _send(self, writer: asyncio.StreamWriter, content: bytes) -> None:
        writer.write(content)
        async with asyncio.timeout(self._timeout_s):
            await writer.drain()

    @asynccontextmanager
    async def _connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await self._open()
            yield reader, writer
        except TimeoutError as error:
            raise Unavailable("clamd", f"no answer within {self._timeout_s:g} s") from error
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unavailable("clamd", str(error) or type(error).__name__) from error
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._socket:
            return await asyncio.open_unix_connection(self._socket, limit=MAX_REPLY)
        return await asyncio.open_connection(self._host, self._port, limit=MAX_REPLY)


def _verdict(reply: str) -> str | None:
    said = reply.removeprefix("stream: ")
    if said == "OK":
        return None
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    raise Unsupported(f"the virus scanner does not take the file: {said}", code="not_scanned")
