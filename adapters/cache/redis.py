"""A cache in Redis, shared by processes, behind each one's own memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.cache.memory import MemoryCache
from orchestrator.domain.answers import Answer
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.cache import CacheKey

_ENTRY = TypeAdapter(tuple[int, Answer])
SCAN_BATCH = 1000


class RedisCache:
    """`orchestrator.ports.cache.Cache`: two tiers, the same key, revision and time to live."""

    def __init__(self, redis: Redis, *, near: MemoryCache, ttl_s: float) -> None:
        self._redis = redis
        self._near = near
        self._ttl_ms = max(1, int(ttl_s * 1000))

    async def get(self, key: CacheKey, *, revision: int) -> Answer | None:
        """Look in memory, then in Redis; an entry that cannot be read is a miss."""
        if near := await self._near.get(key, revision=revision):
            return near
        with _translated():
            raw = await self._redis.get(_name(key))
        if raw is None:
            return None
        try:
            stored, answer = _ENTRY.validate_json(raw)
        except ValidationError:  # written by another version of this program
            return None
        if stored != revision:
            return None
        await self._near.put(key, answer, revision=revision)
        return answer

    async def put(self, key: CacheKey, answer: Answer, *, revision: int) -> None:
        """Store in Redis first, so that memory never holds what others cannot see."""
        with _translated():
            await self._redis.set(_name(key), _ENTRY.dump_json((revision, answer)), px=self._ttl_ms)
        await self._near.put(key, answer, revision=revision)

    async def purge(self, workspace: str) -> None:
        """Unlink the workspace's keys, batch by batch."""
        await self._near.purge(workspace)
        with _translated():
            batch = []
            async for name in self._redis.scan_iter(f"{_prefix(workspace)}*", count=SCAN_BATCH):
                batch.append(name)
                if len(batch) == SCAN_BATCH:
                    await self._redis.unlink(*batch)
                    batch = []
            if batch:
                await self._redis.unlink(*batch)

    async def ping(self) -> None:
        """Ask Redis for a pong."""
        with _translated():
            await self._redis.ping()


@asynccontextmanager
async def open_redis(url: str, *, password: str | None, timeout_s: float) -> AsyncIterator[Redis]:
    """A client that connects when first used, and fails fast; closed at the end."""
    redis = Redis.from_url(
        url, password=password, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
    )
    try:
        yield redis
    finally:
        await redis.aclose()


def _prefix(workspace: str) -> str:
    return f"rag:answer:{workspace}:"


def _name(key: CacheKey) -> str:
    return f"{_prefix(key.workspace)}{key.digest}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("redis", str(error) or type(error).__name__) from error
