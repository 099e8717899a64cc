"""A cache in a dict, least recently used first out: the default on a laptop."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.domain.answers import Answer
from orchestrator.ports.cache import CacheKey


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    revision: int
    expires: float


class MemoryCache:
    """`orchestrator.ports.cache.Cache` of at most `entries` answers, each for `ttl_s` seconds."""

    def __init__(
        self, *, entries: int, ttl_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = entries
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[CacheKey, _Entry] = OrderedDict()

    async def get(self, key: CacheKey, *, revision: int) -> Answer | None:
        """Look up; an entry that is too old, or of an earlier revision, is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock() or entry.revision < revision:
            del self._entries[key]
            return None
        if entry.revision > revision:
            return None
        self._entries.move_to_end(key)
        return entry.answer

    async def put(self, key: CacheKey, answer: Answer, *, revision: int) -> None:
        """Store, and drop the least recently used when full."""
        self._entries[key] = _Entry(answer, revision, self._clock() + self._ttl_s)
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    async def purge(self, workspace: str) -> None:
        """Drop every entry of the workspace."""
        for key in [key for key in self._entries if key.workspace == workspace]:
            del self._entries[key]
