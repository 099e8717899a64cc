"""Clients that read streams: many in one process, over plain sockets, hardly doing anything."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

END = b"\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Place:
    """Where streams are read: the body that asks for one, and what each piece of text looks like.

    `last` is what only a stream holds that was told to its end.
    """

    port: int
    path: str
    body: object
    piece: re.Pattern[bytes]
    last: bytes

    @property
    def request(self) -> bytes:
        """All of it, as it is sent."""
        body = json.dumps(self.body).encode()
        return (
            f"POST {self.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a run measured: answers a second, pieces of each, first pieces in ms, CPU seconds."""

    answers_per_s: float
    pieces: float
    first_ms: Sequence[float]
    cpu_s: float
    took_s: float

    def first(self, share: float) -> float:
        """The time to the first piece that this share of the answers do not exceed."""
        return self.first_ms[int(share * (len(self.first_ms) - 1))]


@dataclass
class _Reader(asyncio.Protocol):
    """Asks again as soon as an answer is whole, so many times."""

    place: Place
    answers: int
    done: asyncio.Future[None]
    first_ms: list[float] = field(default_factory=list)
    pieces: int = 0
    told: int = 0
    took_s: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self._began = time.perf_counter()
        self._ask()

    def _ask(self) -> None:
        self._rest, self._tail, self._begun = b"", b"", False
        self._asked = time.perf_counter()
        self._transport.write(self.place.request)

    def data_received(self, data: bytes) -> None:
        whole, _, self._rest = (self._rest + data).rpartition(b"\n")
        pieces = len(self.place.piece.findall(whole))
        if pieces and not self._begun:
            self._begun = True
            self.first_ms.append((time.perf_counter() - self._asked) * 1e3)
        self.pieces += pieces
        self.told += self.place.last in whole
        self._tail = (self._tail + data)[-len(END) :]
        if self._tail == END:
            self._ended()

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
    """So many clients read so many answers each; the first ones begin within `spread_s`."""
    return uvloop.run(_read(place, clients, answers, spread_s))


async def _read(place: Place, clients: int, answers: int, spread_s: float) -> Streamed:
    loop, before, began = asyncio.get_running_loop(), _cpu(), time.perf_counter()

    async def one(number: int) -> _Reader:
        await asyncio.sleep(spread_s * number / clients)
        reader = _Reader(place, answers, loop.create_future())
        await loop.create_connection(lambda: reader, "127.0.0.1", place.port)
        await reader.done
        return reader

    readers = await asyncio.gather(*(one(number) for number in range(clients)))
    told = sum(one.told for one in readers)
    if told != clients * answers:
        raise SystemExit(f"{place.path}: {clients * answers - told} answers were not whole")
    return Streamed(
        answers_per_s=sum(answers / one.took_s for one in readers),
        pieces=sum(one.pieces for one in readers) / told,
        first_ms=sorted(ms for one in readers for ms in one.first_ms),
        cpu_s=_cpu() - before,
        took_s=time.perf_counter() - began,
    )


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
