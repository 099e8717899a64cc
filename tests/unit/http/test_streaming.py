"""Streams: a sign of life in silence, the end when the client goes, no more than is read."""

from __future__ import annotations

import asyncio
import json
import socket

import httpx
import pytest

from orchestrator.domain.answers import Done, Sources, Token
from tests.unit.fakes import until
from tests.unit.http.conftest import ANSWER
from tests.unit.http.listening import Endless, listening

STREAMED = {"query": "Paid?", "stream": True}
SILENT = (Sources(ANSWER.sources), Token("Refunds "))


async def opened(at, body=STREAMED, path="/v1/query"):
    """A connection that has asked, and reads nothing unless the test does."""
    host, port = at.address.split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: rag\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    return reader, writer


async def settled(count):
    """The count, once it has not changed for a while."""
    last, same = count(), 0
    while same < 20:
        await asyncio.sleep(0.01)
        same = same + 1 if count() == last else 0
        last = count()
    return last


async def test_a_stream_is_neither_stored_nor_held_back_on_its_way(service):
    response = await service.ask(stream=True)

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-length" not in response.headers


async def test_a_stream_that_does_not_fall_silent_has_no_comments(service):
    assert "keep-alive" not in (await service.ask(stream=True)).text


async def test_a_silent_stream_gives_signs_of_life_until_it_goes_on():
    async with listening(heartbeat_s=0.02) as at, httpx.AsyncClient(timeout=60) as client:
        going_on = asyncio.Event()
        at.service.answering.events.insert(2, going_on.wait)
        lines = []
        async with client.stream("POST", f"http://{at.address}/v1/query", json=STREAMED) as sent:
            async for line in sent.aiter_lines():
                lines.append(line)
                if lines.count(": keep-alive") == 3:
                    going_on.set()

    assert lines.index("event: token") < lines.index(": keep-alive")
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == ["sources", "token", "token", "done"]


@pytest.mark.parametrize(
    ("endless", "begun"),
    [
        (Endless(), False),
        (Endless(*SILENT), True),
        (Endless(*SILENT, piece=Token("x" * 10_000)), True),
    ],
    ids=["before its first event", "while it waits", "while it cannot send"],
)
async def test_a_stream_whose_client_goes_is_closed(endless, begun):
    async with listening() as at:
        at.service.app.state.application.answering = endless
        reader, writer = await opened(at)
        if begun:
            await reader.readuntil(b"event: token")
        else:
            await until(lambda: at.tasks == 1)
        if endless.piece:
            await settled(lambda: endless.said)

        writer.close()

        await until(lambda: endless.closed == 1)
        await until(lambda: (at.connections, at.tasks) == (0, 0))


async def test_a_plain_answer_whose_client_goes_is_not_made_to_its_end():
    async with listening() as at:
        at.service.app.state.application.answering = endless = Endless(*SILENT)
        _, writer = await opened(at, {"query": "Paid?"})
        await until(lambda: at.tasks == 1)

        writer.close()

        await until(lambda: endless.closed == 1)
        await until(lambda: at.tasks == 0)


async def test_no_more_is_made_than_a_slow_client_reads():
    async with listening() as at:
        piece = Token("x" * 10_000)
        at.service.app.state.application.answering = endless = Endless(*SILENT, piece=piece)
        reader, writer = await opened(at)

        unread = await settled(lambda: endless.said)

        assert unread * 10_000 < 8_000_000  # what sockets hold, and the server's own buffer
        await reader.readexactly(2_000_000)
        await until(lambda: endless.said > unread)
        writer.close()


async def test_a_client_that_reads_nothing_is_left_in_the_end():
    async with listening(timeout_s=0.3) as at:
        piece = Token("x" * 10_000)
        at.service.app.state.application.answering = endless = Endless(*SILENT, piece=piece)
        _, writer = await opened(at)

        await until(lambda: endless.closed == 1)

        await until(lambda: at.tasks == 0)
        writer.close()


async def test_a_stream_is_counted_when_it_is_done(service):
    service.answering.events = [Sources(ANSWER.sources), Done(ANSWER)]

    await service.ask(stream=True)

    assert service.counted("rag_queries_total") == 1
