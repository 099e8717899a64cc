"""A website on the loopback interface whose every answer is as the test has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Site:
    """Answers by path, else 404; `asked` are the paths and `hosts` the Host headers, in order."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.hosts: list[str] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def html(self, path: str, body: str) -> None:
        self.raw(path, body.encode(), headers=HTML)

    def moved(self, path: str, target: str) -> None:
        self._answers[path] = _writing(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n".encode())

    def status(self, path: str, status: int) -> None:
        self._answers[path] = _writing(f"HTTP/1.1 {status} Status\r\n\r\n".encode())

    def raw(self, path: str, body: bytes, *, announced: bool = True, headers: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if announced else ""
        head = f"HTTP/1.1 200 OK\r\n{length}{headers}\r\n"
        self._answers[path] = _writing(head.encode() + body)

    def slow(self, path: str, *, every_s: float) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(500):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(every_s)

        self._answers[path] = drip

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1]
            self.asked.append(path)
            lines = head.split("\r\n")
            self.hosts += [one[6:] for one in lines if one.casefold().startswith("host: ")]
            await self._answers.get(path, _writing(b"HTTP/1.1 404 Not Found\r\n\r\n"))(writer)


HTML = "Content-Type: text/html; charset=utf-8\r\n"


def _writing(data: bytes) -> Answer:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write
