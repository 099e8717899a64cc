"""`rag mcp`."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from typing import Final

from mcp.server.stdio import stdio_server

from orchestrator.http import agents
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application

TOO_LONG: Final = "a line that is too long"
"""Which is no message, and is answered as such."""


async def serve() -> None:
    """Serve tools on standard input and output until the input ends, or a signal comes."""
    settings = load()
    logs.set_up("warning", json=False)
    async with open_application(settings, writes=False) as application:
        server = agents.server(lambda: application)
        recording = asyncio.create_task(application.recorder.run())
        lines = Lines(settings.http.max_body_bytes) if _waits() else None
        try:
            async with stdio_server(lines) as (incoming, outgoing):  # type: ignore[arg-type]  # it only asks for lines
                await server.run(incoming, outgoing, server.create_initialization_options())
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)


class Lines:
    """Standard input, read in no thread: a signal ends the wait for the next line."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    async def __aiter__(self) -> AsyncIterator[str]:
        """The lines, until the input ends; of one that is too long, a few words instead."""
        reader = asyncio.StreamReader(limit=self._longest)
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:  # longer than the limit: passed over
                    yield TOO_LONG
                    continue
                if not line:
                    return
                yield line.decode("utf-8", errors="replace")
        finally:
            transport.close()


def _waits() -> bool:
    """Whether standard input is a pipe or the like; a file is there as a whole."""
    return not stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)
