"""The reranker of a server: its judgement, or none and the reason."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack

import pytest

from adapters.reranker.remote import RemoteReranker
from orchestrator import backends
from orchestrator.contracts.reranker import RerankerContract
from orchestrator.contracts.specimens import passage, question
from orchestrator.domain.errors import Unavailable
from orchestrator.settings import load
from tests.builders import free_port
from tests.modelserver import model_server

PASSAGES = [
    passage("Lunch is served at noon.", chunk_id=1, score=0.9),
    passage("Refunds are paid within 7 days.", chunk_id=2, score=0.8),
    passage("Refunds go back to the card.", chunk_id=3, score=0.7),
]


@pytest.fixture
def server():
    with model_server() as started:
        yield started


@pytest.fixture
async def opened(server):
    """Opens a reranker of the server, with these options."""
    async with AsyncExitStack() as stack:

        async def opening(**chosen) -> RemoteReranker:
            options = {"kind": "remote", "base_url": server.url, **chosen}
            settings = load(profile="mock", reranker=options)
            return await backends.open_reranker(settings.reranker, stack)

        yield opening


class TestRemoteReranker(RerankerContract):
    @pytest.fixture
    async def reranker(self, opened) -> RemoteReranker:
        return await opened(model="words", api_key="hunter2")


class TestRemoteRerankerOfTei(RerankerContract):
    @pytest.fixture
    async def reranker(self, opened) -> RemoteReranker:
        return await opened(shape="tei")


async def test_the_common_shape_is_sent(server, opened):
    reranker = await opened(base_url=f"{server.url}/v1", model="words", api_key="hunter2")

    ranked = await reranker.rerank(question("When are refunds paid?"), PASSAGES, limit=2)

    (body,), (headers,) = server.asked, server.headers
    assert body == {
        "model": "words",
        "query": "When are refunds paid?",
        "documents": [one.chunk.text for one in PASSAGES],
        "top_n": 3,
    }
    assert headers["authorization"] == "Bearer hunter2"
    assert [one.chunk.id for one in ranked] == [2, 3]
    assert (ranked[0].stages["reranker"].rank, ranked[1].stages["reranker"].rank) == (1, 2)


async def test_the_shape_of_tei_is_sent(server, opened):
    reranker = await opened(shape="tei")

    ranked = await reranker.rerank(question("When are refunds paid?"), PASSAGES, limit=1)

    assert set(server.asked[0]) == {"query", "texts", "raw_scores", "truncate"}
    assert "authorization" not in server.headers[0]
    assert [one.chunk.id for one in ranked] == [2]


async def test_scores_that_may_be_any_number_are_squashed(server, opened):
    server.instead = lambda body: scored(body, -800.0, 2.0, 900.0)

    ranked = await (await opened(logits=True)).rerank(question(), PASSAGES, limit=3)

    assert [one.chunk.id for one in ranked] == [3, 2, 1]
    assert [one.score for one in ranked] == pytest.approx([1.0, 1 / (1 + math.exp(-2)), 0.0])


def scored(body, *scores):
    return {"results": [{"index": at, "relevance_score": score} for at, score in enumerate(scores)]}


@pytest.mark.parametrize(
    ("misbehaves", "reason"),
    [
        (lambda body: scored(body, 0.1, 0.2), "it judged 2 passages of 3"),
        (lambda body: scored(body, 0.1, 0.2, 0.3, 0.4), "it judged 4 passages of 3"),
        (lambda _: {"results": [{"index": 9, "relevance_score": 0.5}] * 3}, "not each of them"),
        (lambda _: {"results": [{"index": 1, "relevance_score": 0.5}] * 3}, "not each of them"),
        (lambda body: scored(body, 0.1, 0.2, math.nan), "not a number"),
        (lambda body: scored(body, 0.1, 0.2, math.inf), "not a number"),
        (lambda body: scored(body, 0.1, 0.2, 3.5), "not in .0, 1.: see the option `logits`"),
        (lambda body: scored(body, 0.1, 0.2, "high"), "does not answer with scores"),
        (lambda _: {"results": None}, "does not answer with scores"),
        (lambda _: [], "does not answer with scores"),
        (lambda _: (200, b"<html>"), "does not answer with scores"),
        (lambda _: (500, {"error": "out of memory"}), "it answers 500"),
        (lambda _: (302, b""), "it answers 302"),
        (lambda _: (401, {"error": "the key hunter2 is wrong"}), "it answers 401"),
    ],
)
async def test_a_wrong_answer_is_none(server, opened, misbehaves, reason):
    reranker = await opened(api_key="hunter2")
    server.instead = misbehaves

    with pytest.raises(Unavailable, match=reason) as caught:
        await reranker.rerank(question(), PASSAGES, limit=2)

    assert "hunter2" not in caught.value.detail
    assert "Refunds" not in caught.value.detail


async def test_too_many_requests_say_to_wait(server, opened):
    server.instead = lambda _: (429, {})

    with pytest.raises(Unavailable, match="429") as caught:
        await (await opened()).rerank(question(), PASSAGES, limit=2)

    assert caught.value.retry_after > 1


async def test_a_server_that_is_away_or_silent_is_unavailable(server, opened):
    server.wait_s = 1.0
    silent = await opened(timeout_s=0.05)
    away = await opened(base_url=f"http://127.0.0.1:{free_port()}")

    for reranker in (silent, away):
        with pytest.raises(Unavailable, match=r"the reranker at 127\.0\.0\.1"):
            await reranker.rerank(question(), PASSAGES, limit=2)


async def test_other_work_goes_on_while_the_server_thinks(server, opened):
    reranker = await opened()
    server.wait_s = 0.3
    asking = asyncio.create_task(reranker.rerank(question(), PASSAGES, limit=2))
    turns = 0
    while not asking.done():
        await asyncio.sleep(0.01)
        turns += 1

    assert turns > 10


async def test_nothing_is_asked_about_nothing(server, opened):
    assert await (await opened()).rerank(question(), [], limit=2) == []
    assert server.asked == []
