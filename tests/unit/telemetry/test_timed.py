"""Wrappers that time a port: the same port, and the time that it took."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from adapters.cache.memory import MemoryCache
from adapters.embedder.mock import MockEmbedder
from adapters.reranker.mock import MockReranker
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.domain.answers import Outcome, Token
from orchestrator.domain.context import begin_timings
from orchestrator.domain.errors import Exhausted, Unavailable
from orchestrator.domain.passages import Retrieval
from orchestrator.ports.cache import CacheKey
from orchestrator.ports.verifier import Claim
from orchestrator.telemetry import timed as timed_module
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.timed import (
    TimedCache,
    TimedEmbedder,
    TimedGenerator,
    TimedMeasured,
    TimedReranker,
    TimedRetriever,
    TimedVerifier,
)
from tests.builders import REFUNDS, answer, passage, question

KEY = CacheKey("w", "d")
WORK_S = 0.02


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def watch(metrics):
    return metrics.stage_seconds


@pytest.fixture
def timings():
    return begin_timings()


@pytest.fixture
def observed(metrics):
    def times(stage):
        name = "rag_stage_duration_seconds_count"
        return metrics.registry.get_sample_value(name, {"stage": stage})

    return times


class Down:
    """Everything that it is asked for fails, after a while."""

    async def _fail(self, *_, **__):
        await asyncio.sleep(WORK_S)
        raise Unavailable("the server", "switched off")

    get = put = purge = retrieve = rerank = support = ping = _fail


async def test_a_timed_cache_is_that_cache(watch, timings, observed):
    cache = TimedCache(MemoryCache(entries=9, ttl_s=60), watch)

    await cache.put(KEY, answer(), revision=7)

    assert await cache.get(KEY, revision=7) == answer()
    assert timings.keys() == {"cache"}
    assert observed("cache") == 1

    await cache.purge("w")

    assert await cache.get(KEY, revision=7) is None
    assert observed("cache") == 2


class Served(MemoryCache):
    """A cache that counts how often its server is asked whether it is there."""

    asked = 0

    async def ping(self):
        self.asked += 1


async def test_a_timed_cache_asks_the_server_that_it_has_and_is_up_without_one(watch, timings):
    served = Served(entries=9, ttl_s=60)

    for cache in (served, MemoryCache(entries=9, ttl_s=60)):
        await TimedCache(cache, watch).ping()

    assert served.asked == 1
    assert timings == {}


async def test_a_timed_cache_whose_server_is_down_is_down(watch):
    with pytest.raises(Unavailable):
        await TimedCache(Down(), watch).ping()


async def test_a_timed_embedder_is_that_embedder(watch, timings, observed):
    inner = MockEmbedder()
    embedder = TimedEmbedder(inner, watch)

    assert (embedder.digest, embedder.dimension) == (inner.digest, inner.dimension)
    assert embedder.max_tokens == inner.max_tokens
    assert embedder.token_spans("two words") == [(0, 3), (4, 9)]
    assert np.array_equal(await embedder.embed(["a"]), await inner.embed(["a"]))
    assert timings == {}
    assert np.array_equal(await embedder.embed_query("a"), await inner.embed_query("a"))
    assert timings.keys() == {"embed"}
    assert observed("embed") == 1


class OneRetrieval:
    async def retrieve(self, query, *, limit):
        await asyncio.sleep(WORK_S)
        return Retrieval([passage(query.text)] * limit)


async def test_a_timed_retriever_is_that_retriever(watch, timings, observed):
    found = await TimedRetriever(OneRetrieval(), watch).retrieve(question("paid"), limit=2)

    assert [one.chunk.text for one in found.passages] == ["paid", "paid"]
    assert timings["retrieve"] >= WORK_S * 1e3 * 0.9
    assert observed("retrieve") == 1


async def test_a_timed_reranker_is_that_reranker(watch, timings, observed):
    passages = [passage("Fees."), passage("Refunds are paid.", chunk_id=2)]

    found = await TimedReranker(MockReranker(), watch).rerank(question(), passages, limit=1)

    assert [one.chunk.id for one in found] == [2]
    assert (timings.keys(), observed("rerank")) == ({"rerank"}, 1)


async def test_a_timed_verifier_is_that_verifier(watch, timings, observed):
    claim = Claim((REFUNDS,), (passage(),))

    found = await TimedVerifier(LexicalVerifier(), watch).support([claim])

    assert found == [1.0]
    assert (timings.keys(), observed("verify")) == ({"verify"}, 1)


@pytest.mark.parametrize(
    ("stage", "act"),
    [
        ("cache", lambda watch: TimedCache(Down(), watch).get(KEY, revision=1)),
        ("retrieve", lambda watch: TimedRetriever(Down(), watch).retrieve(question(), limit=1)),
        ("rerank", lambda watch: TimedReranker(Down(), watch).rerank(question(), [], limit=1)),
        ("verify", lambda watch: TimedVerifier(Down(), watch).support([])),
    ],
)
async def test_what_fails_is_timed_too(watch, timings, observed, stage, act):
    with pytest.raises(Unavailable):
        await act(watch)

    assert timings[stage] >= WORK_S * 1e3 * 0.9
    assert observed(stage) == 1


class Clock:
    """Stands in for the module `time`: only who works moves it."""

    now = 0.0

    def perf_counter(self):
        return self.now


class SlowGenerator:
    def __init__(self, clock):
        self.clock = clock

    async def generate(self, *_):
        for word in ("Refunds ", "are paid."):
            self.clock.now += WORK_S
            yield Token(word)
        yield Outcome(answerable=True)


async def test_a_timed_generator_is_that_generator_and_times_no_reader(
    metrics, watch, timings, observed, monkeypatch
):
    said, clock = [], Clock()
    monkeypatch.setattr(timed_module, "time", clock)
    generator = TimedGenerator(SlowGenerator(clock), watch, metrics.first_token_seconds)
    async for piece in generator.generate(question(), []):
        said.append(piece)
        clock.now += WORK_S * 5  # whoever reads takes his time

    assert said == [Token("Refunds "), Token("are paid."), Outcome(answerable=True)]
    assert timings["generate"] == pytest.approx(WORK_S * 2e3, abs=0.01)
    assert observed("generate") == 1
    first = "rag_time_to_first_token_seconds"
    assert metrics.registry.get_sample_value(f"{first}_count") == 1
    assert metrics.registry.get_sample_value(f"{first}_sum") == pytest.approx(WORK_S)


class Full:
    def admit(self):
        raise Exhausted("too much to do")


def test_a_timed_generator_refuses_what_the_generator_would(metrics, watch):
    TimedGenerator(SlowGenerator(Clock()), watch, metrics.first_token_seconds).admit()

    with pytest.raises(Exhausted):
        TimedGenerator(Full(), watch, metrics.first_token_seconds).admit()


async def test_a_timed_generator_that_is_closed_has_closed_the_other(metrics, watch):
    closed = []

    class Endless:
        async def generate(self, *_):
            try:
                while True:
                    yield Token("Refunds ")
            finally:
                closed.append(True)

    pieces = TimedGenerator(Endless(), watch, metrics.first_token_seconds).generate(question(), [])
    await anext(pieces)

    await pieces.aclose()

    assert closed == [True]


async def test_tokens_are_counted_as_they_are_and_the_time_is_told(watch, timings, observed):
    class Slow:
        async def room(self, query):
            return 7

        async def sizes(self, passages):
            await asyncio.sleep(WORK_S)
            return [3 for _ in passages]

    timed = TimedMeasured(Slow(), watch)

    assert (await timed.room(question()), await timed.sizes([passage()])) == (7, [3])
    assert timings["count"] >= WORK_S * 900
    assert observed("count") == 1
