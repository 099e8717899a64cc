"""Clients that read streams: many in one process, over plain sockets, hardly doing anything."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

END = b"\n0\r\n\r\n"
NUMBERS = itertools.count()
"""Of requests, in this process."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where streams are read: the body that asks for one, and what each piece of text looks like.

    `body` is that of the request of a number, no two of which ask the same; `begun` is what comes
    before all text, and `last` what only a stream holds that was told to its end.
    """

    port: int
    path: str
    body: Callable[[int], object]
    begun: bytes
    piece: re.Pattern[bytes]
    last: bytes

    def request(self, number: int) -> bytes:
        """All of it, as it is sent."""
        body = json.dumps(self.body(number)).encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a run measured: answers a second, pieces of each, CPU seconds; of each answer, in ms.

    `begun_ms` is the time until it began, `first_ms` until its first text.
    """

    answers_per_s: float
    pieces: float
    begun_ms: Sequence[float]
    first_ms: Sequence[float]
    cpu_s: float
    took_s: float


def quantile(values: Sequence[float], share: float) -> float:
    """What this share of the values do not exceed."""
    return sorted(values)[int(share * (len(values) - 1))]


@dataclass
class _Reader(asyncio.Protocol):
    """Asks again as soon as an answer is whole, so many times."""

    place: Place
    answers: int
    done: asyncio.Future[None]
    begun_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    pieces: int = 0
    told: int = 0
    took_s: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._began = time.perf_counter()
        self._ask()

    def _ask(self) -> None:
        self._rest, self._tail, self._begun, self._spoken = b"", b"", False, False
        request = self.place.request(next(NUMBERS))
        self._asked = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        whole, _, self._rest = (self._rest + data).rpartition(b"\n")
        pieces = len(self.place.piece.findall(whole))
        if not self._begun and self.place.begun in whole:
            self._begun = True
            self.begun_ms.append(self._since())
        if pieces and not self._spoken:
            self._spoken = True
            self.first_ms.append(self._since())
        self.pieces += pieces
        self.told += self.place.last in whole
        self._tail = (self._tail + data)[-len(END) :]
        if self._tail == END:
            self._ended()

    def _since(self) -> float:
        return (time.perf_counter() - self._asked) * 1e3

    def _ended(self) -> None:
        if len(self.first_ms) < self.answers:
            self._ask()
            return
        self.took_s = time.perf_counter() - self._began
        self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def read(place: Place, *, clients: int, answers: int, spread_s: float) -> Streamed:
    """So many clients read so many answers each; they begin at random within `spread_s`."""
    return uvloop.run(_read(place, clients, answers, spread_s))


async def _read(place: Place, clients: int, answers: int, spread_s: float) -> Streamed:
    loop, before, began = asyncio.get_running_loop(), _cpu(), time.perf_counter()
    chance = random.Random(clients)  # the same each time

    async def one(starts_s: float) -> _Reader:
        await asyncio.sleep(starts_s)
        reader = _Reader(place, answers, loop.create_future())
        await loop.create_connection(lambda: reader, "127.0.0.1", place.port)
        await reader.done
        return reader

    readers = await asyncio.gather(*(one(chance.uniform(0, spread_s)) for _ in range(clients)))
    told = sum(one.told for one in readers)
    if told != clients * answers:
        raise SystemExit(f"{place.path}: {clients * answers - told} answers were not whole")
    return Streamed(
        answers_per_s=sum(answers / one.took_s for one in readers),
        pieces=sum(one.pieces for one in readers) / told,
        begun_ms=[ms for one in readers for ms in one.begun_ms],
        first_ms=[ms for one in readers for ms in one.first_ms],
        cpu_s=_cpu() - before,
        took_s=time.perf_counter() - began,
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
