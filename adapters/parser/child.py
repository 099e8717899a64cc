"""The process that parses: started by the pool, locked down, then one file after another.

Run as `python -m adapters.parser.child ORDER`; its standard input is a socket to the pool.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple

from adapters.parser.frames import FIRST, HEADER, STEP, STEP_S, Order, Refusal, framed
from adapters.parser.lockdown import limit, lock_down, tell_exhaustion
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import CRASHED, TOO_MUCH_MEMORY, TOO_MUCH_TEXT, Progress

MAX_DETAIL: Final = 500
Read = Callable[[bytes, str, Progress], ParsedDocument]


def main(order: Order, channel: socket.socket) -> None:
    """Give up what is not needed, import the parsers, say so, and serve until the pool is gone."""
    os.nice(order.niceness)
    with contextlib.suppress(OSError):  # where memory runs out, this process goes before others
        Path("/proc/self/oom_score_adj").write_text("1000")
    module, name = order.registry.split(":")
    limit(order.memory_bytes, order.open_files)
    tell_exhaustion(order.memory_bytes)
    level = lock_down(order.parent, _home(module))
    try:
        registry = getattr(importlib.import_module(module), name)()
    except ImportError as error:
        channel.sendall(framed(FIRST, asdict(Refusal("cannot_start", str(error)[:MAX_DETAIL]))))
        return
    channel.sendall(framed(FIRST, {"isolation": level}))
    serve(channel, registry.read, order.max_text_chars)


def serve(channel: socket.socket, read: Read, max_chars: int) -> None:
    """Answer every request; each is a media type, and the file as an open descriptor."""
    while request := _received(channel):
        steps = _Steps(channel, request.tag)
        channel.sendall(_answered(request, read, steps, max_chars))


class _Request(NamedTuple):
    tag: bytes
    media_type: str
    descriptor: int


class _Steps:
    """Progress, told a few times a second at most, and at its end."""

    def __init__(self, channel: socket.socket, tag: bytes) -> None:
        self._channel = channel
        self._tag = tag
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next and done < total:
            return
        self._next = now + STEP_S
        self._channel.sendall(framed(self._tag, (done, total), STEP))


def _received(channel: socket.socket) -> _Request | None:
    header, descriptors, _, _ = socket.recv_fds(channel, HEADER.size, 1)
    if not header:
        return None
    header += _exactly(channel, HEADER.size - len(header))
    tag, _, length = HEADER.unpack(header)
    return _Request(tag, json.loads(_exactly(channel, length)), descriptors[0])


def _exactly(channel: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = channel.recv(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _answered(request: _Request, read: Read, steps: Progress, max_chars: int) -> bytes:
    try:
        with os.fdopen(request.descriptor, "rb") as file:
            content = file.read()
        parsed = read(content, request.media_type, steps)
        if len(parsed.text) > max_chars:
            refusal = Refusal(
                TOO_MUCH_TEXT, f"the document holds more than {max_chars} characters of text"
            )
        else:
            return framed(request.tag, asdict(parsed))
    except Unsupported as error:
        refusal = Refusal(error.code, error.detail)
    except MemoryError:
        refusal = Refusal(TOO_MUCH_MEMORY, "reading the document took too much memory")
    except Exception as error:  # noqa: BLE001  # a parser may fail in any way; only this document does
        refusal = Refusal(CRASHED, f"the parser failed: {type(error).__name__}: {error}")
    return framed(request.tag, asdict(Refusal(refusal.code, refusal.detail[:MAX_DETAIL])))


def _home(module: str) -> Path | None:
    """The folder of the module that holds the parsers."""
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None


if __name__ == "__main__":
    with socket.socket(fileno=0) as opened:
        main(Order(**json.loads(sys.argv[1])), opened)
