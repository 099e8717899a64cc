"""A Milvus that is killed in the middle of a run: words answer meanwhile, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clock import awake
from tests.live.conftest import OpenApp
from tests.milvus import MilvusServer
from tests.unit.fakes import until

QUESTION = "How fast are refunds paid?"
RECOVERS_S = 120.0


@pytest.fixture
def milvus_server(tmp_path: Path) -> Iterator[MilvusServer]:
    """A Milvus of the test's own, not yet started."""
    server = MilvusServer(tmp_path / "milvus")
    yield server
    server.kill()


def settings(server: MilvusServer) -> dict[str, Any]:
    return {
        "vectors": {"kind": "milvus", "uri": server.uri},
        "retriever": {"kind": "hybrid"},
        "cache": {"kind": "none"},
    }


async def ask(client: httpx.AsyncClient, question: str = QUESTION) -> dict[str, Any]:
    response = await client.post("/v1/query", json={"query": question})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def upload(client: httpx.AsyncClient, name: str, text: str) -> None:
    sent = await client.post("/v1/documents", files={"file": (name, text.encode())})
    assert sent.status_code == 202, sent.text
    await comes(client, lambda document: document["status"] == "indexed", sent.headers["location"])


async def comes(
    client: httpx.AsyncClient, wanted: Callable[[Any], bool], path: str | None = None
) -> Any:
    """Ask until it is as wanted."""
    ends = time.monotonic() + RECOVERS_S
    while time.monotonic() < ends:
        found = (await client.get(path)).json() if path else await ask(client)
        if wanted(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"it never came: {found}")


def whole(answer: dict[str, Any]) -> bool:
    return answer["meta"]["degraded"] == []


async def dense(client: httpx.AsyncClient, question: str) -> list[str]:
    found = await client.post("/v1/search", json={"query": question, "mode": "dense", "top_k": 50})
    assert found.status_code == 200, found.text
    return sorted(one["title"] for one in found.json()["hits"])


async def test_a_killed_milvus_is_done_without_and_taken_back(
    open_app: OpenApp, milvus_server: MilvusServer
):
    milvus_server.start()
    async with open_app(**settings(milvus_server)) as app:
        await upload(app, "refunds.txt", "Refunds are paid within 7 days of purchase.")
        before = await comes(app, whole)
        assert before["answerable"]

        answers: list[tuple[dict[str, Any], float]] = []
        asking = asyncio.create_task(asks(app, answers))
        await until(lambda: len(answers) >= 5)
        milvus_server.kill()
        await upload(app, "parking.txt", "Parking is free for visitors on Sundays.")
        begun = len(answers)
        await until(lambda: len(answers) > begun + 20)
        asking.cancel()

        assert all(answer["answerable"] for answer, _ in answers)
        assert answers[-1][0]["meta"]["degraded"] == ["dense_retrieval"]
        assert max(took for _, took in answers) < 6
        new = await ask(app, "When is parking free for visitors?")
        assert "Sundays" in new["answer"]
        health = await app.get("/health/ready")
        assert (health.status_code, health.json()["down"]) == (200, ["vectors"])

        milvus_server.start()
        assert (await comes(app, whole))["answer"] == before["answer"]
        assert await dense(app, "parking") == await everything(app)
        assert (await app.get("/health/ready")).json()["down"] == []


async def test_a_service_starts_without_its_milvus_and_fills_it_when_it_comes(
    open_app: OpenApp, milvus_server: MilvusServer
):
    async with open_app(**settings(milvus_server)) as app:
        await upload(app, "refunds.txt", "Refunds are paid within 7 days of purchase.")
        answer = await ask(app)
        assert answer["answerable"]
        assert answer["meta"]["degraded"] == ["dense_retrieval"]

        milvus_server.start()
        await comes(app, whole)
        assert await dense(app, QUESTION) == await everything(app)


async def test_a_second_server_shows_what_the_first_one_fills(
    open_app: OpenApp, milvus_server: MilvusServer
):
    milvus_server.start()
    chosen = settings(milvus_server)
    async with open_app(**chosen) as first, open_app(**chosen) as second:
        await comes(second, whole)
        await upload(first, "refunds.txt", "Refunds are paid within 7 days of purchase.")

        await comes(second, lambda answer: whole(answer) and answer["answerable"])
        assert await dense(second, QUESTION) == await everything(first)


async def asks(client: httpx.AsyncClient, answers: list[tuple[dict[str, Any], float]]) -> None:
    """Collects answers and the seconds that each took, one after the other until cancelled."""
    while True:
        with awake() as spent:
            answers.append((await ask(client), spent()))
        await asyncio.sleep(0.05)


async def everything(client: httpx.AsyncClient) -> list[str]:
    listed = (await client.get("/v1/documents")).json()["documents"]
    return sorted(one["title"] for one in listed)
