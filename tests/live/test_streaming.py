"""Streams of a real service over a real model server: readers who leave, and a server that dies."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.processes import Served, serve, wait_for
from tests.live.streams import ModelServer, Reader
from tests.scale import scaled

LEAVING = scaled(500, 200)
READING = scaled(200, 100)
LONG = "Refunds are paid within 7 days. " * 40
SHORT = "Within 7 days. [1]"
QUESTION = "Within how many days are refunds paid?"
EVER_S = 3600.0
GROWTH = 48 << 20
UNREAD = 96 << 20


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A model server, told nothing yet."""
    server = ModelServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def served(model: ModelServer, tmp_path: Path) -> Iterator[Served]:
    """A service that asks it."""
    long = {"RAG_GENERATOR__MAX_TOKENS": "100000", "RAG_GENERATOR__WINDOW": "200000"}
    with serve(tmp_path / "data", **model.options, **long) as service:
        yield service


async def until(condition: Callable[[], object], complaint: str) -> None:
    """Return once it is true, on a thread of its own as it may ask a server."""
    await asyncio.to_thread(wait_for, condition, complaint, seconds=120)


def measured(served: Served, name: str) -> float:
    """The value of a metric, by its name with labels."""
    lines = served.http.get("/metrics").text.splitlines()
    return next((float(one.split()[-1]) for one in lines if one.startswith(name + " ")), 0.0)


def running(served: Served) -> float:
    return measured(served, 'rag_generation_streams{backend="default",state="running"}')


def memory(served: Served) -> int:
    """Bytes that are resident."""
    pages = Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors(served: Served) -> int:
    """Open files and sockets."""
    return len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))


async def leave_in_the_middle(served: Served, model: ModelServer) -> None:
    """Readers who each read a word, and are gone all at once."""
    before = model.counts()["cancelled"]
    readers = [await Reader().ask(served, QUESTION) for _ in range(LEAVING)]
    await until(lambda: all(one.began for one in readers), "not all streams began")
    assert model.counts()["open"] == LEAVING
    for one in readers:
        one.leave()
    await until(
        lambda: model.counts()["cancelled"] == before + LEAVING, "the model server was not told"
    )


async def test_all_that_readers_took_is_given_back_when_they_leave(
    model: ModelServer, served: Served
) -> None:
    model.says(text=LONG, rate=1.0)
    opened = descriptors(served)
    await leave_in_the_middle(served, model)
    grown = memory(served)

    await leave_in_the_middle(served, model)

    counts = model.counts()
    assert (counts["cancelled"], counts["open"], counts["finished"]) == (2 * LEAVING, 0, 0)
    await until(lambda: running(served) == 0, "streams are left")
    await until(lambda: measured(served, "rag_active_requests") <= 1, "requests are left")
    await until(lambda: descriptors(served) <= opened + 10, "connections are left")
    assert memory(served) < grown + GROWTH


async def test_a_model_server_that_dies_leaves_no_reader_without_an_end(
    model: ModelServer, served: Served
) -> None:
    model.says(text=LONG, rate=1.0)
    shown = [await Reader().ask(served, QUESTION) for _ in range(READING // 2)]
    await until(lambda: all(one.began for one in shown), "not all streams began")
    model.says(text=LONG, wait_s=EVER_S)
    waiting = [await Reader().ask(served, QUESTION) for _ in range(READING // 2)]
    await until(lambda: model.counts()["open"] == READING, "not all were asked")

    killed = time.monotonic()
    model.kill()
    await asyncio.gather(*(one.done() for one in (*shown, *waiting)))

    print(f"the last error came after {max(one.ended for one in shown) - killed:.2f} s")
    print(f"the last fallback came after {max(one.ended for one in waiting) - killed:.2f} s")
    for one in shown:
        name, problem = one.events[-1]
        assert (name, problem["code"]) == ("error", "unavailable")
        assert LONG.startswith(one.text)
        assert "done" not in dict(one.events)
    for one in waiting:
        name, answer = one.events[-1]
        assert (name, answer["answer"]) == ("done", one.text)
        assert answer["meta"]["degraded"] == ["generator:default:unavailable"]
        assert answer["meta"]["generator"] == "extractive"
        assert "[1]" in one.text
    assert max(one.ended for one in shown) - killed < 30
    assert running(served) == 0

    model.start()
    model.says(text=SHORT)
    await until(lambda: asked(served) == "openai", "the breaker did not close by itself")
    assert measured(served, 'rag_breaker_state{backend="default"}') == 0


def asked(served: Served) -> str:
    """Who answers a question now."""
    answer = served.http.post("/v1/query", json={"query": QUESTION}).json()
    generator: str = answer["meta"]["generator"]
    return generator


async def test_nothing_is_taken_that_nobody_reads(model: ModelServer, served: Served) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Refunds are paid. " * 60}}]}
    event = f"data: {json.dumps(chunk)}\n\n"
    model.says(raw=event * (UNREAD // len(event)))
    before, held = memory(served), model.counts()["held"]
    reader = await Reader().ask(served, QUESTION, reads=False)
    await until(lambda: model.counts()["held"] > held, "the model server was not asked")

    await until(lambda: idle(served), "the service goes on without a reader")

    assert running(served) == 1
    assert memory(served) - before < UNREAD / 2
    reader.leave()
    await until(lambda: model.counts()["held"] == held, "the model server was not told")
    await until(lambda: running(served) == 0, "a stream is left")


def idle(served: Served) -> bool:
    """Whether it does next to nothing for a second."""
    before = spent(served)
    time.sleep(1.0)
    return spent(served) - before < 0.15


def spent(served: Served) -> float:
    """Seconds of a CPU that it has used."""
    fields = Path(f"/proc/{served.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
