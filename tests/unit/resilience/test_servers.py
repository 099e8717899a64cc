"""Guarded models of a real server that dies under many readers, and comes back."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from adapters.generator.extractive import ExtractiveGenerator
from orchestrator.chaining import chained, resilient
from orchestrator.domain.answers import Outcome, Token
from orchestrator.domain.errors import Unavailable
from orchestrator.generators import open_language_model
from orchestrator.ports.language import Completion, Finish, Message
from orchestrator.resilience.fallback import Link
from orchestrator.settings import load
from orchestrator.settings.resilience import ResilienceOptions
from orchestrator.telemetry.metrics import Metrics
from tests.builders import passage, question
from tests.completions import MODEL, Script, completions
from tests.unit.fakes import until

READERS = 200
LONG = "Refunds are paid within 7 days. " * 40


class Chosen(ResilienceOptions):
    kind: str = "openai"


class Relayed:
    """A `Generator` that says what its model says."""

    def __init__(self, model):
        self.model = model

    async def generate(self, query, _passages):
        asked = Completion((Message("user", query.text),), max_tokens=400)
        async for piece in self.model.stream(asked):
            if isinstance(piece, Finish):
                yield Outcome(answerable=True, usage=piece.usage)
            else:
                yield Token(piece)


class Reader:
    """One who reads an answer: what came, and when its error."""

    def __init__(self, generator, text):
        self.pieces = []
        self.error = None
        self.ended = 0.0
        self._task = asyncio.create_task(self._read(generator, text))

    async def _read(self, generator, text):
        try:
            async for piece in generator.generate(question(text), [passage()]):
                self.pieces.append(piece)
        except Unavailable as error:
            self.error = error
        self.ended = time.monotonic()

    @property
    def text(self):
        return "".join(one.text for one in self.pieces if isinstance(one, Token))

    async def done(self):
        await self._task
        return self


def says(asked):
    """Slowly and at length, but to half of the questions nothing at all."""
    silent = "how many" in asked.messages[-1]["content"]
    return Script(LONG, rate=1.0, wait_s=3600.0 if silent else 0.0)


@pytest.fixture
def server():
    with completions(says) as started:
        started.window = 4096
        yield started


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
async def deployed(server, metrics):
    """The chain over the server, and its pulse."""
    chosen = Chosen(parallel=READERS, first_token_s=300, idle_s=300, breaker_open_s=0.2)
    options = {"kind": "openai", "model": MODEL, "base_url": f"{server.url}/v1", "window": 4096}
    settings = load(profile="mock", generator={**options, "first_token_s": 300, "idle_s": 300})
    async with AsyncExitStack() as stack:
        opened = await open_language_model(settings.generator, stack)
        model, pulse = resilient(opened, "default", chosen, metrics)
        last = Link(
            "extractive", "extractive", ExtractiveGenerator(words=30, sentences=2, evidence=0.5)
        )
        generators = {"default": Relayed(model)}
        chain = chained({"default": chosen}, generators, {"default": pulse}, last, metrics)
        yield chain["default"], pulse


async def test_a_server_that_dies_under_many_readers_leaves_none_without_an_end(
    server, metrics, deployed
):
    generator, pulse = deployed
    ask = partial(Reader, generator)
    shown = [ask("When are refunds paid?") for _ in range(READERS // 2)]
    waiting = [ask("Within how many days are refunds paid?") for _ in range(READERS // 2)]
    await until(lambda: server.open == READERS and all(one.pieces for one in shown), seconds=120)

    killed = time.monotonic()
    await asyncio.to_thread(server.kill)
    await asyncio.gather(*(one.done() for one in (*shown, *waiting)))

    assert all(isinstance(one.error, Unavailable) for one in shown)
    assert not any(isinstance(one.pieces[-1], Outcome) for one in shown)
    assert all(LONG.startswith(one.text) for one in shown)
    assert [one.error for one in waiting] == [None] * len(waiting)
    assert {one.text for one in waiting} == {"Refunds are paid within 7 days of purchase. [1]"}
    assert {one.pieces[-1].degraded for one in waiting} == {("generator:default:unavailable",)}
    assert max(one.ended for one in shown) - killed < 30
    value = metrics.registry.get_sample_value
    backend = {"backend": "default"}
    assert value("rag_breaker_openings_total", backend) >= 1
    assert value("rag_generation_streams", {**backend, "state": "running"}) == 0

    server.answer = lambda _: Script("Within 7 days. [1]")
    await asyncio.to_thread(server.start)

    async def answers():
        reader = await ask("When are refunds paid?").done()
        return reader.pieces[-1].generator

    async with asyncio.timeout(60):
        while await answers() != "openai":  # noqa: ASYNC110  # the next question is the trial
            await asyncio.sleep(0.05)
    assert pulse.breaker.state == "closed"
    await pulse.ping()
    assert {await answers() for _ in range(5)} == {"openai"}


async def test_readers_who_leave_are_seen_to_leave_by_the_server(server, metrics, deployed):
    generator, pulse = deployed
    readers = [Reader(generator, "When are refunds paid?") for _ in range(READERS)]
    await until(lambda: server.open == READERS and all(one.pieces for one in readers), seconds=120)

    for one in readers:
        one._task.cancel()
    await until(lambda: server.cancelled == READERS, seconds=120)

    assert (server.open, pulse.limited.running, pulse.breaker.state) == (0, 0, "closed")
