"""A real Redis as the cache: shared, bounded in time, purged, and done without when it is down."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import redis

from tests.clock import awake
from tests.live.conftest import OpenApp
from tests.live.processes import RedisServer

QUESTION = "How fast are refunds paid?"
HOTELS = "Up to what price a night are hotels reimbursed?"
PURGED_AGAIN_S = 60.0
TRIES = 20


def cache(server: RedisServer, **options: Any) -> dict[str, Any]:
    return {"kind": "redis", "url": server.url, **options}


async def ask(
    client: httpx.AsyncClient, question: str = QUESTION, workspace: str = "default"
) -> dict[str, Any]:
    response = await client.post("/v1/query", json={"query": question, "workspace": workspace})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["answerable"], answer
    return answer


async def refunds(client: httpx.AsyncClient) -> str:
    listed = (await client.get("/v1/documents")).json()["documents"]
    return next(one["id"] for one in listed if one["source_id"] == "policies/refunds")


async def indexed(client: httpx.AsyncClient, location: str) -> None:
    for _ in range(3000):
        if (await client.get(location)).json()["status"] == "indexed":
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{location} was not indexed")


def keys(server: RedisServer, pattern: str = "*") -> list[bytes]:
    with redis.Redis(port=server.port) as client:
        return client.keys(pattern)


async def test_two_processes_share_answers(open_app: OpenApp, redis_server: RedisServer):
    chosen = cache(redis_server)
    async with open_app(cache=chosen) as one, open_app(cache=chosen) as other:
        made = await ask(one)
        found = await ask(other)

    assert made["meta"]["cache_hit"] is False
    assert found["meta"]["cache_hit"] is True
    assert found["answer"] == made["answer"]
    assert found["sources"] == made["sources"]
    assert found["meta"]["trace_id"] != made["meta"]["trace_id"]


async def test_an_answer_outlives_the_process_that_made_it(
    open_app: OpenApp, redis_server: RedisServer
):
    async with open_app(cache=cache(redis_server)) as one:
        await ask(one)
    async with open_app(cache=cache(redis_server)) as other:
        assert (await ask(other))["meta"]["cache_hit"] is True


async def test_every_entry_has_a_time_to_live(open_app: OpenApp, redis_server: RedisServer):
    async with open_app(cache=cache(redis_server, ttl_s=60)) as app:
        await ask(app)
        await ask(app, HOTELS)

        with redis.Redis(port=redis_server.port) as client:
            lives = [client.pttl(key) for key in client.scan_iter()]
    assert len(lives) == 2
    assert all(0 < life <= 60_000 for life in lives)


async def test_an_entry_ends_with_its_time(open_app: OpenApp, redis_server: RedisServer):
    async with open_app(cache=cache(redis_server, ttl_s=0.5)) as app:
        for _ in range(TRIES):  # where one takes longer than the entry lives, the next finds none
            await ask(app)
            if found := (await ask(app))["meta"]["cache_hit"]:
                break
        assert found is True
        await asyncio.sleep(0.6)

        assert keys(redis_server) == []
        assert (await ask(app))["meta"]["cache_hit"] is False


async def test_a_killed_redis_is_done_without_and_taken_back(
    open_app: OpenApp, redis_server: RedisServer
):
    chosen = cache(redis_server)
    async with open_app(cache=chosen) as one, open_app(cache=chosen) as other:
        await ask(one)
        redis_server.kill()

        with awake() as spent:
            degraded = await ask(one, HOTELS)
            assert spent() < 1
        assert degraded["meta"]["degraded"] == ["cache"]
        assert (await ask(one, HOTELS))["meta"]["cache_hit"] is False
        health = await one.get("/health/ready")
        assert health.status_code == 200
        assert health.json()["down"] == ["cache"]

        redis_server.start()
        whole = await ask(one, HOTELS)
        assert whole["meta"]["degraded"] == []
        assert whole["meta"]["cache_hit"] is False
        assert (await ask(other, HOTELS))["meta"]["cache_hit"] is True
        assert (await one.get("/health/ready")).json()["down"] == []


async def test_a_redis_that_hangs_costs_less_than_a_second(
    open_app: OpenApp, redis_server: RedisServer
):
    async with open_app(cache=cache(redis_server)) as app:
        await ask(app)
        redis_server.hang()
        with awake() as spent:
            try:
                degraded = await ask(app, HOTELS)
                took = spent()
            finally:
                redis_server.resume()

        assert took < 1
        assert degraded["meta"]["degraded"] == ["cache"]
        assert (await ask(app, HOTELS))["meta"]["degraded"] == []


async def test_a_deletion_removes_the_workspaces_keys_and_no_others(
    open_app: OpenApp, redis_server: RedisServer
):
    async with open_app(cache=cache(redis_server)) as app:
        await app.post("/v1/workspaces", json={"name": "other"})
        uploaded = await app.post(
            "/v1/documents",
            files={"file": ("refunds.txt", b"Refunds are paid within 21 days.")},
            data={"workspace": "other"},
        )
        await indexed(app, uploaded.headers["location"])
        await ask(app, workspace="other")
        kept = keys(redis_server)
        await ask(app)
        await ask(app, HOTELS)
        assert len(keys(redis_server)) == 3

        receipt = (await app.delete(f"/v1/documents/{await refunds(app)}")).json()

        assert receipt["stores"]["cache"] == "purged"
        assert keys(redis_server) == kept


async def test_a_redis_that_was_away_is_purged_when_it_returns(
    open_app: OpenApp, redis_server: RedisServer
):
    async with open_app(cache=cache(redis_server)) as app:
        await ask(app)
        document = f"/v1/documents/{await refunds(app)}"
        redis_server.hang()
        try:
            receipt = (await app.delete(document)).json()
        finally:
            redis_server.resume()
        assert receipt["complete"] is False
        assert receipt["stores"]["cache"].startswith("pending: ")
        asked = await app.post("/v1/query", json={"query": QUESTION})
        assert "7 days" not in asked.text

        ends = time.monotonic() + PURGED_AGAIN_S
        while not receipt["complete"] and time.monotonic() < ends:
            await asyncio.sleep(0.2)
            receipt = (await app.get(document)).json()["receipt"]

        assert receipt["complete"] is True
        with redis.Redis(port=redis_server.port) as client:
            assert not [key for key in client.scan_iter() if b"7 days" in (client.get(key) or b"")]


async def test_an_entry_that_cannot_be_read_is_a_miss(open_app: OpenApp, redis_server: RedisServer):
    chosen = cache(redis_server)
    async with open_app(cache=chosen) as one, open_app(cache=chosen) as other:
        made = await ask(one)
        with redis.Redis(port=redis_server.port) as client:
            for key in list(client.scan_iter()):
                client.set(key, b"\x00 of another time", keepttl=True)

        found = await ask(other)

    assert found["meta"]["cache_hit"] is False
    assert found["meta"]["degraded"] == []
    assert found["answer"] == made["answer"]


async def test_a_password_opens_redis_and_a_wrong_one_degrades(open_app: OpenApp, tmp_path: Any):
    server = RedisServer(tmp_path, "--requirepass", "sesame")
    server.start()
    try:
        async with open_app(cache=cache(server, password="sesame")) as app:
            await ask(app)
            assert (await ask(app))["meta"]["degraded"] == []
        async with open_app(cache=cache(server, password="guess")) as app:
            assert (await ask(app))["meta"]["degraded"] == ["cache"]
    finally:
        server.kill()
