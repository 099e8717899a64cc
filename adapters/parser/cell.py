"""One process that parses, as the pool sees it: started, asked, watched and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from adapters.parser.answers import Nonsense, answer, hello
from adapters.parser.frames import (
    EXHAUSTED,
    FIRST,
    HEADER,
    STEP,
    STEP_BYTES,
    WHOLE,
    Order,
    Refusal,
    framed,
)
from adapters.parser.limits import Limits, Watch
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unavailable, Unsupported
from orchestrator.ports.parser import (
    CRASHED,
    TOO_MUCH_MEMORY,
    TOO_MUCH_TEXT,
    Isolation,
    Progress,
)

ROOT: Final = Path(__file__).resolve().parents[2]
PIECE: Final = 1 << 18
START_S: Final = 30.0
END_S: Final = 5.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Gone(Exception):
    """The process had ended before it was asked."""


class Killed(Unsupported):
    """It was killed over a document: by the kernel, for want of memory, or by somebody."""


class Cell:
    """Asked for one document at a time; `spent` when it must not be asked again."""

    def __init__(self, process: asyncio.subprocess.Process, channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._documents = 0
        self.isolation = Isolation.LIMITS
        self.spent = False

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def begin(self) -> None:
        """Wait until it has given up what it can, and is ready.

        Raises:
            Unavailable: when it does not come to that.
        """
        try:
            async with asyncio.timeout(START_S):
                _, content = await self._receive(FIRST, PIECE)
            began = hello(content)
        except TimeoutError:
            raise Unavailable("the parser", f"it was not ready within {START_S:g} s") from None
        except (Nonsense, EOFError, OSError) as error:
            raise Unavailable("the parser", f"it did not start: {error}") from error
        if isinstance(began, Refusal):
            raise Unavailable("the parser", f"it did not start: {began.detail}")
        self.isolation = began

    async def read(
        self, file: int, media_type: str, limits: Limits, progress: Progress
    ) -> ParsedDocument:
        """Have the open file read; `progress` is told how far that is.

        Raises:
            Gone: when it has not been asked, and another can be.
            Killed: when it was killed over the document, which may not be to blame.
            Unsupported: when there is no text, or reading it came to a limit or brought it down.
        """
        tag = secrets.token_bytes(len(FIRST))
        watch = self._ask(tag, file, media_type, limits, progress)
        self.spent = True
        try:
            content = await self._answer(tag, watch, limits.answer_bytes)
            found = await asyncio.to_thread(answer, content)
        except TimeoutError:
            raise watch.too_slow() from None
        except Nonsense as error:
            raise Unsupported(f"the parser failed: {error}", code=CRASHED) from error
        except (EOFError, OSError):
            raise await self._cause(watch) from None
        self._documents += 1
        if isinstance(found, Refusal):
            self.spent = found.code == TOO_MUCH_MEMORY or self._worn(limits)
            raise Unsupported(found.detail, code=found.code)
        if len(found.text) > limits.max_text_chars:
            raise _too_much_text(limits)
        self.spent = self._worn(limits)
        return found

    async def end(self) -> None:
        """Kill it, and wait until it is no more."""
        self.spent = True
        self._channel.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    def _ask(
        self, tag: bytes, file: int, media_type: str, limits: Limits, progress: Progress
    ) -> Watch:
        try:
            if not self._silent():
                raise Gone
            watch = Watch(self.pid, limits, progress)
            socket.send_fds(self._channel, [framed(tag, media_type)], [file])
        except OSError as error:
            raise Gone from error
        return watch

    def _silent(self) -> bool:
        """Whether it lives, and has said nothing that it was not asked."""
        try:
            self._channel.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False

    async def _answer(self, tag: bytes, watch: Watch, most: int) -> bytes:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(watch.left_s) as timeout:
            while True:
                kind, content = await self._receive(tag, most)
                if kind == WHOLE:
                    return content
                watch.step(content)
                timeout.reschedule(loop.time() + watch.left_s)

    async def _receive(self, tag: bytes, most: int) -> tuple[int, bytes]:
        told, kind, length = HEADER.unpack(await self._exactly(HEADER.size))
        if told != tag or kind not in (WHOLE, STEP):
            raise Nonsense("it answered what it was not asked")
        if kind == STEP and length > STEP_BYTES:
            raise Nonsense("it told too much of its progress")
        if length > most:
            raise Unsupported("the document holds too much text", code=TOO_MUCH_TEXT)
        return kind, await self._exactly(length)

    async def _exactly(self, length: int) -> bytes:
        loop, found = asyncio.get_running_loop(), bytearray()
        while len(found) < length:
            piece = await loop.sock_recv(self._channel, min(PIECE, length - len(found)))
            if not piece:
                raise EOFError("it has ended")
            found += piece
        return bytes(found)

    async def _cause(self, watch: Watch) -> Unsupported:
        """Why it ended in the middle of a document."""
        try:
            async with asyncio.timeout(END_S):
                status = await self._process.wait()
        except TimeoutError:
            return Unsupported("the parser failed: it closed its channel", code=CRASHED)
        if status == -signal.SIGXCPU:
            return watch.too_busy()
        too_much = "reading the document took too much memory"
        if status == -signal.SIGKILL:
            return Killed(too_much, code=TOO_MUCH_MEMORY)
        if status == EXHAUSTED:
            return Unsupported(too_much, code=TOO_MUCH_MEMORY)
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        return Unsupported(f"the document brought the parser down: {how}", code=CRASHED)

    def _worn(self, limits: Limits) -> bool:
        if self._documents >= limits.recycle_after:
            return True
        try:
            resident = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            return True
        return resident > limits.recycle_bytes


async def start(order: Order) -> Cell:
    """A new process that is ready: a fresh interpreter, with nothing of this one's.

    Raises:
        Unavailable: when none can be started.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        with theirs:
            process = await _spawned(order, theirs)
    except OSError as error:
        ours.close()
        raise Unavailable("the parser", f"no process can be started: {error.strerror}") from error
    except BaseException:
        ours.close()
        raise
    cell = Cell(process, ours)
    try:
        await cell.begin()
    except BaseException:
        await cell.end()
        raise
    return cell


async def _spawned(order: Order, channel: socket.socket) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", "adapters.parser.child"),
        json.dumps(asdict(order)),
        stdin=channel.fileno(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )


def _too_much_text(limits: Limits) -> Unsupported:
    return Unsupported(
        f"the document holds more than {limits.max_text_chars} characters of text",
        code=TOO_MUCH_TEXT,
    )
