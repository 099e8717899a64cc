"""Caches keep answers by question, workspace and revision, and nothing longer than they may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from adapters.cache.memory import MemoryCache
from adapters.cache.none import NoCache
from adapters.cache.redis import RedisCache, open_redis
from orchestrator.contracts.cache import KEY, CacheContract
from orchestrator.contracts.specimens import answer
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.cache import CacheKey
from tests.builders import free_port

TTL_S = 3600.0
Expire = Callable[[], Awaitable[None]]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def memory(clock: Clock, entries: int = 100) -> MemoryCache:
    return MemoryCache(entries=entries, ttl_s=TTL_S, clock=clock)


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self, clock: Clock) -> MemoryCache:
        return memory(clock)

    @pytest.fixture
    def expire(self, clock: Clock) -> Expire:
        async def expire() -> None:
            clock.now += TTL_S

        return expire

    async def test_an_answer_lives_until_just_before_its_time_is_over(self, cache, clock):
        await cache.put(KEY, answer(), revision=7)
        clock.now += TTL_S - 0.001

        assert await cache.get(KEY, revision=7) == answer()

    async def test_the_least_recently_used_answer_goes_when_the_cache_is_full(self, clock):
        cache = memory(clock, entries=2)
        first, second, third = (CacheKey("w1", digest) for digest in "abc")
        await cache.put(first, answer(), revision=7)
        await cache.put(second, answer(), revision=7)
        await cache.get(first, revision=7)
        await cache.put(third, answer(), revision=7)

        assert await cache.get(second, revision=7) is None
        assert await cache.get(first, revision=7) == answer()
        assert await cache.get(third, revision=7) == answer()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url, password=None, timeout_s=5.0) as client:
        await client.flushdb()
        yield client


@pytest.mark.live
class TestRedisCache(CacheContract):
    @pytest.fixture
    def process(self, redis: Redis, clock: Clock) -> Callable[[], RedisCache]:
        return lambda: RedisCache(redis, near=memory(clock), ttl_s=TTL_S)

    @pytest.fixture
    def cache(self, process: Callable[[], RedisCache]) -> RedisCache:
        return process()

    @pytest.fixture
    def expire(self, redis: Redis, clock: Clock) -> Expire:
        async def expire() -> None:
            clock.now += TTL_S
            async for name in redis.scan_iter("*"):
                if 0 < await redis.pttl(name) <= TTL_S * 1000:
                    await redis.delete(name)

        return expire

    async def test_one_process_reads_what_another_wrote(self, process):
        await process().put(KEY, answer(), revision=7)

        assert await process().get(KEY, revision=7) == answer()

    async def test_one_process_purges_what_another_wrote(self, process):
        await process().put(KEY, answer(), revision=7)
        await process().purge("w1")

        assert await process().get(KEY, revision=7) is None

    async def test_one_process_purges_no_workspace_whose_name_begins_the_same(self, process):
        other = CacheKey("w10", KEY.digest)
        await process().put(other, answer(), revision=7)
        await process().purge("w1")

        assert await process().get(other, revision=7) == answer()

    async def test_a_purge_erases_more_keys_than_one_batch(self, cache, redis):
        for number in range(1500):
            await redis.set(f"rag:answer:w1:{number}", "x")
        await redis.set("rag:answer:w2:0", "x")

        await cache.purge("w1")

        assert await redis.keys("*") == [b"rag:answer:w2:0"]

    async def test_an_entry_that_cannot_be_read_is_a_miss(self, process, redis):
        await process().put(KEY, answer(), revision=7)
        for name in await redis.keys("*"):
            await redis.set(name, b'{"written by": "another version"}')

        assert await process().get(KEY, revision=7) is None

    async def test_an_answer_held_in_memory_is_not_asked_for_again(self, cache, redis):
        await cache.put(KEY, answer(), revision=7)
        await redis.flushdb()

        assert await cache.get(KEY, revision=7) == answer()

    async def test_a_live_server_answers_a_ping(self, cache):
        assert await cache.ping() is None


class TestRedisThatIsDown:
    @pytest.fixture
    async def cache(self, clock: Clock) -> AsyncIterator[RedisCache]:
        url = f"redis://127.0.0.1:{free_port()}/0"
        async with open_redis(url, password=None, timeout_s=0.2) as client:
            yield RedisCache(client, near=memory(clock), ttl_s=TTL_S)

    @pytest.mark.parametrize(
        "use",
        [
            lambda cache: cache.get(KEY, revision=7),
            lambda cache: cache.put(KEY, answer(), revision=7),
            lambda cache: cache.purge("w1"),
            lambda cache: cache.ping(),
        ],
        ids=["get", "put", "purge", "ping"],
    )
    async def test_is_unavailable_and_says_so(self, cache, use):
        with pytest.raises(Unavailable) as raised:
            await use(cache)

        assert raised.value.dependency == "redis"

    async def test_leaves_nothing_in_memory_that_others_cannot_see(self, cache):
        with pytest.raises(Unavailable):
            await cache.put(KEY, answer(), revision=7)

        assert await cache._near.get(KEY, revision=7) is None


class TestNoCache:
    async def test_a_put_is_forgotten_at_once(self):
        cache = NoCache()
        await cache.put(KEY, answer(), revision=7)

        assert await cache.get(KEY, revision=7) is None

    async def test_a_purge_is_accepted(self):
        assert await NoCache().purge("w1") is None
