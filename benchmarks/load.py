"""A load generator: HTTP/1.1 keep-alive over plain sockets, closed loop, one process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import uvloop


@dataclass(frozen=True, slots=True)
class Load:
    """What a run measured; latencies in milliseconds, ascending."""

    requests_per_s: float
    latencies_ms: Sequence[float]
    failed: int

    def percentile(self, share: float) -> float:
        """The latency that `share` of the requests do not exceed."""
        return self.latencies_ms[int(share * (len(self.latencies_ms) - 1))]

    @property
    def mean(self) -> float:
        """The mean latency."""
        return sum(self.latencies_ms) / len(self.latencies_ms)


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as a response is whole."""

    def __init__(self, requests: Iterator[bytes], ends: float, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._ends = ends
        self._done = done
        self._buffer = b""
        self._sent = 0.0
        self.latencies: list[float] = []
        self.failed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        if len(body) < int(head[at:].split(b"\r\n", 1)[0]):
            return
        self.latencies.append((time.perf_counter() - self._sent) * 1e3)
        self.failed += not head.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        if time.perf_counter() > self._ends:
            self._transport.close()
            return
        request = next(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(request)


def run(
    port: int, path: str, body_of: Callable[[int], object], *, connections: int, seconds: float
) -> Load:
    """Post bodies, numbered from 0, for so many seconds over so many connections."""
    numbers = count()

    def requests() -> Iterator[bytes]:
        for number in numbers:
            body = json.dumps(body_of(number)).encode()
            yield (
                f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            ).encode() + body

    async def drive() -> Load:
        loop = asyncio.get_running_loop()
        shared, ends = requests(), time.perf_counter() + seconds
        began, opened = time.perf_counter(), []
        waits = []
        for _ in range(connections):
            done = loop.create_future()
            _, one = await loop.create_connection(
                lambda done=done: _Connection(shared, ends, done), "127.0.0.1", port
            )
            opened.append(one)
            waits.append(done)
        await asyncio.gather(*waits)
        latencies = sorted(ms for one in opened for ms in one.latencies)
        took = time.perf_counter() - began
        return Load(len(latencies) / took, latencies, sum(one.failed for one in opened))

    return uvloop.run(drive())


@dataclass(frozen=True, slots=True)
class Timed:
    """One request of an open loop: when it was due, in seconds, and what it took from then on."""

    due_s: float
    latency_ms: float
    status: int


async def arriving(
    port: int, path: str, body_of: Callable[[int], object], *, per_s: float, seconds: float
) -> list[Timed]:
    """Post at a steady rate, whatever has been answered: what waits to be sent waits on the clock.

    A request's latency counts from when it was due.
    """
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    began, timed = time.perf_counter(), []

    async def answered(request: bytes) -> bytes:
        while idle:  # the server closes what has been idle for long
            reader, writer = idle.pop()
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                return await exchanged(reader, writer, request)
        return await exchanged(*await asyncio.open_connection("127.0.0.1", port), request)

    async def exchanged(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> bytes:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await reader.readexactly(int(head[at:].split(b"\r\n", 1)[0]))
        idle.append((reader, writer))
        return head

    async def one(number: int, due: float) -> None:
        body = json.dumps(body_of(number)).encode()
        head = await answered(
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        took = (time.perf_counter() - began - due) * 1e3
        timed.append(Timed(due, took, int(head.split(b" ", 2)[1])))

    async with asyncio.TaskGroup() as group:
        for number in range(int(per_s * seconds)):
            due = number / per_s
            await asyncio.sleep(max(0.0, due - (time.perf_counter() - began)))
            group.create_task(one(number, due))
    for _, writer in idle:
        writer.close()
    return timed
