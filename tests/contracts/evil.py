"""Parsers that do what a hostile file would have them do; a process of the sandbox runs them."""

from __future__ import annotations

import ctypes
import errno
import mimetypes
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from adapters.parser.frames import HEADER, STEP, framed
from orchestrator.domain.documents import Heading, ParsedDocument
from orchestrator.ports.parser import Progress


class Evil:
    """Does what the content says, with the argument that stands after it."""

    def read(self, content: bytes, media_type: str, progress: Progress) -> ParsedDocument:
        what, _, argument = content.decode().partition(" ")
        self.progress = progress
        try:
            return ParsedDocument(str(getattr(self, what)(argument)), title=str(os.getpid()))
        except OSError as error:
            return ParsedDocument(f"errno {error.errno}")

    def echo(self, text):
        return text

    def allocate(self, _):
        return len([bytearray(1 << 20) for _ in range(10_000)])

    def loop(self, _):
        while True:
            pass

    def sleep(self, _):
        time.sleep(600)

    def write(self, path):
        return Path(path).write_text("mine")

    def append(self, path):
        with Path(path).open("a") as file:
            return file.write("mine")

    def remove(self, path):
        Path(path).unlink()

    def look(self, path):
        return Path(path).read_text()

    def folder(self, path):
        return list(Path(path).iterdir())

    def listen(self, _):
        return socket.socket()

    def pair(self, _):
        return socket.socketpair()

    def fork(self, _):
        return os.fork()

    def spawn(self, _):
        return os.posix_spawn("/bin/true", ["true"], {})

    def execute(self, _):
        os.execv("/bin/true", ["true"])

    def thread(self, text):
        said = []
        other = threading.Thread(target=lambda: said.append(text))
        other.start()
        other.join()
        return said[0]

    def slow(self, seconds):
        time.sleep(float(seconds))
        return f"slow {seconds}"

    def kill(self, pid):
        os.kill(int(pid), signal.SIGKILL)

    def unlimit(self, _):
        import resource

        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        except ValueError:  # what Python makes of EPERM
            raise PermissionError(errno.EPERM, "denied") from None

    def environment(self, _):
        return sorted(os.environ)

    def descriptors(self, _):
        return [one for one in range(3, 64) if _is_open(one)]

    def encoding(self, name):
        return "é".encode(name)

    def kind(self, name):
        mimetypes.init()
        return mimetypes.guess_type(name)[0]

    def garbage(self, text):
        print(text)
        os.write(1, b"\0" * 4096)
        os.write(2, b"\0" * 4096)
        return text

    def babble(self, _):
        os.write(0, os.urandom(4096))
        return "never read"

    def foretell(self, text):
        """Answer, and already the next one too."""
        os.write(0, framed(bytes(8), {"text": text}))
        return "never read"

    def pages(self, argument):
        """Read so many pages, in so many seconds each."""
        count, seconds = argument.split()
        for done in range(int(count)):
            time.sleep(float(seconds))
            self.progress(done + 1, int(count))
        return "read"

    def work(self, argument):
        """The same, with the processor busy."""
        count, seconds = argument.split()
        for done in range(int(count)):
            ends = time.thread_time() + float(seconds)
            while time.thread_time() < ends:
                pass
            self.progress(done + 1, int(count))
        return "read"

    def tell(self, steps):
        """Say these steps, whatever they are."""
        for content in steps.split(";"):
            said = HEADER.pack(self.progress._tag, STEP, len(content)) + content.encode()
            os.write(0, said)
        return "never read"

    def flood(self, _):
        for done in range(1, 1 << 30):
            os.write(0, framed(self.progress._tag, (done, 1 << 30), STEP))

    def kinds(self, kind):
        os.write(0, framed(self.progress._tag, "what", int(kind)))
        return "never read"

    def long(self, length):
        return "x" * int(length)

    def exit(self, status):
        sys.exit(int(status))

    def segfault(self, _):
        ctypes.string_at(0)

    def abort(self, _):
        os.abort()

    def starve(self, megabytes):
        """Abort as native code does that is given no memory."""
        held = bytes(int(megabytes) << 20)
        os.abort()
        return len(held)

    def recurse(self, text):
        return self.recurse(text)

    def half(self, _):
        return "half of a \ud83d character"


class Liar(Evil):
    """Answers with what is not so."""

    def read(self, content: bytes, media_type: str, progress: Progress) -> ParsedDocument:
        return {
            b"heading": ParsedDocument("text", headings=[Heading(0, 1, "other text")]),
            b"order": ParsedDocument("a b", headings=[Heading(2, 1, "b"), Heading(0, 1, "a")]),
            b"page": ParsedDocument("text", pages=[0, 9]),
            b"nul": ParsedDocument("text", properties={"author": "A\0"}),
            b"title": ParsedDocument("text", title=7),  # type: ignore[arg-type]
        }[content]


class Missing:
    """Needs what is not installed."""

    def __init__(self) -> None:
        raise ImportError("no module named 'something'")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
