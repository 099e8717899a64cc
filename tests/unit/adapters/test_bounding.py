"""Connections to models' servers: what a hostile one could send, and what of that is read."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from adapters.generator.connecting import LONGEST, connected
from adapters.generator.waiting import Patience
from adapters.reranker.remote import open_remote
from orchestrator.backends import open_embedder
from orchestrator.contracts.specimens import passage, question
from orchestrator.domain.errors import Unavailable
from orchestrator.settings import load

PIECE = b"a" * 65_536
ENDLESS = 100 * LONGEST // len(PIECE)


@asynccontextmanager
async def answering(head, body, *, times=1):
    """A server that answers whatever it is asked so; it counts what it could send."""
    sent = {"bytes": 0, "asked": b""}

    async def answer(reader, writer):
        sent["asked"] = await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\nconnection: close\r\n\r\n".encode())
        try:
            for _ in range(times):
                writer.write(body)
                await writer.drain()
                sent["bytes"] += len(body)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", sent


@asynccontextmanager
async def serving(head, body, *, times=1):
    """Such a server, and a client of models."""
    async with (
        answering(head, body, times=times) as (url, sent),
        connected(Patience(5, 30, 30), url) as client,
    ):
        yield client, sent


@pytest.mark.parametrize("status", ["500 No", "200 OK", "302 Found"])
async def test_what_is_no_stream_of_events_is_not_read_without_end(status):
    async with serving(status, PIECE, times=ENDLESS) as (client, sent):
        with pytest.raises(httpx.ReadError):
            await client.get("/")

    assert sent["bytes"] < ENDLESS * len(PIECE) / 2


async def test_an_error_is_bounded_even_as_a_stream_of_events():
    kind = "500 No\r\ncontent-type: text/event-stream"

    async with serving(kind, PIECE, times=2 * LONGEST // len(PIECE)) as (client, _):
        with pytest.raises(httpx.ReadError):
            await client.get("/")


async def test_a_stream_of_events_may_be_as_long_as_it_is():
    times = 2 * LONGEST // len(PIECE)

    async with serving("200 OK\r\ncontent-type: text/event-stream", PIECE, times=times) as (
        client,
        _,
    ):
        told = await client.get("/")

    assert len(told.content) == times * len(PIECE)


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_nothing_that_is_packed_is_unpacked(kind):
    head = f"200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip"

    async with serving(head, gzip.compress(b"a" * 1_000_000)) as (client, sent):
        with pytest.raises(httpx.ReadError):
            await client.get("/")

    assert b"accept-encoding: identity" in sent["asked"].lower()


async def test_scores_without_end_are_none():
    async with (
        answering("200 OK", PIECE, times=ENDLESS) as (url, sent),
        open_remote(url) as reranker,
    ):
        with pytest.raises(Unavailable, match="more than it was asked for"):
            await reranker.rerank(question("Refunds?"), [passage("In 7 days.")], limit=1)

    assert sent["bytes"] < ENDLESS * len(PIECE) / 2


async def test_vectors_without_end_are_none():
    settings = load(
        profile="mock",
        embedder={"kind": "openai", "base_url": "http://127.0.0.1:9", "model": "m", "dimension": 8},
    )
    async with answering("200 OK", PIECE, times=ENDLESS) as (url, sent), AsyncExitStack() as stack:
        chosen = settings.embedder.model_copy(update={"base_url": url, "retries": 0})
        embedder = await open_embedder(chosen, settings, stack)
        with pytest.raises(Unavailable):
            await embedder.embed(["Refunds are paid within 7 days."])

    assert sent["bytes"] < ENDLESS * len(PIECE) / 2
