"""Wrappers that time a port, and are that port themselves."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from prometheus_client import Histogram

from orchestrator.domain.answers import Answer, Outcome, Query, Token
from orchestrator.domain.context import took
from orchestrator.domain.passages import Passage, Retrieval
from orchestrator.ports.arrays import Vector, Vectors
from orchestrator.ports.cache import Cache, CacheKey
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.generator import Generator, admit
from orchestrator.ports.health import Pingable
from orchestrator.ports.measured import Measured
from orchestrator.ports.reranker import Reranker
from orchestrator.ports.retriever import Retriever
from orchestrator.ports.rewriter import Conversant
from orchestrator.ports.verifier import Claim, Verifier


class Stopwatch:
    """Times one stage, for the request's `meta.timings_ms` and for the histogram."""

    def __init__(self, stage: str, histogram: Histogram) -> None:
        self._stage = stage
        self._histogram = histogram.labels(stage)

    def running(self) -> _Lap:
        """Time the block."""
        return _Lap(self)

    def add(self, seconds: float) -> None:
        """Record a time."""
        took(self._stage, seconds)
        self._histogram.observe(seconds)


class _Lap:
    __slots__ = ("_began", "_watch")

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_raised: object) -> None:
        self._watch.add(time.perf_counter() - self._began)


class TimedCache:
    """A cache, timed when it is asked."""

    def __init__(self, inner: Cache, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("cache", histogram)

    async def get(self, key: CacheKey, *, revision: int) -> Answer | None:
        """Timed."""
        with self._watch.running():
            return await self._inner.get(key, revision=revision)

    async def put(self, key: CacheKey, answer: Answer, *, revision: int) -> None:
        """As it is."""
        await self._inner.put(key, answer, revision=revision)

    async def purge(self, workspace: str) -> None:
        """As it is."""
        await self._inner.purge(workspace)

    async def ping(self) -> None:
        """Ask the cache's server, if it has one."""
        if isinstance(self._inner, Pingable):
            await self._inner.ping()


class TimedEmbedder:
    """An embedder, timed when it embeds a question."""

    def __init__(self, inner: Embedder, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("embed", histogram)
        self.digest = inner.digest
        self.dimension = inner.dimension
        self.max_tokens = inner.max_tokens

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """As it is."""
        return await self._inner.embed(texts)

    async def embed_query(self, text: str) -> Vector:
        """Timed."""
        with self._watch.running():
            return await self._inner.embed_query(text)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """As it is."""
        return self._inner.token_spans(text)


class TimedRetriever:
    """A retriever, timed."""

    def __init__(self, inner: Retriever, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("retrieve", histogram)

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Timed."""
        with self._watch.running():
            return await self._inner.retrieve(query, limit=limit)


class TimedReranker:
    """A reranker, timed."""

    def __init__(self, inner: Reranker, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("rerank", histogram)

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """Timed."""
        with self._watch.running():
            return await self._inner.rerank(query, passages, limit=limit)


class TimedGenerator:
    """A generator, timed by what it takes to make each piece, not by who waits to read it.

    The time until the first one is in a histogram of its own.
    """

    def __init__(self, inner: Generator, histogram: Histogram, first: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("generate", histogram)
        self._first = first

    def admit(self) -> None:
        """As it is."""
        admit(self._inner)

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """Timed."""
        spent, since, begun = 0.0, time.perf_counter(), False
        async with aclosing(self._inner.generate(query, passages)) as pieces:
            async for piece in pieces:
                spent += time.perf_counter() - since
                if not begun:
                    self._first.observe(spent)
                    begun = True
                yield piece
                since = time.perf_counter()
        self._watch.add(spent + time.perf_counter() - since)


class TimedMeasured:
    """What counts tokens, timed where it counts those of passages."""

    def __init__(self, inner: Measured, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("count", histogram)

    async def room(self, query: Query) -> int:
        """As it is: it counts no passages."""
        return await self._inner.room(query)

    async def sizes(self, passages: Sequence[Passage]) -> Sequence[int]:
        """Timed."""
        with self._watch.running():
            return await self._inner.sizes(passages)


class TimedVerifier:
    """A verifier, timed."""

    def __init__(self, inner: Verifier, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("verify", histogram)

    async def support(self, claims: Sequence[Claim]) -> Sequence[float]:
        """Timed."""
        with self._watch.running():
            return await self._inner.support(claims)


class TimedConversant:
    """A conversant, timed while it reads what was said."""

    def __init__(self, inner: Conversant, histogram: Histogram) -> None:
        self._inner = inner
        self._watch = Stopwatch("follow_up", histogram)

    async def standalone(self, query: Query, history: str) -> str:
        """Timed."""
        with self._watch.running():
            return await self._inner.standalone(query, history)

    async def summary(self, query: Query, history: str) -> str:
        """Timed."""
        with self._watch.running():
            return await self._inner.summary(query, history)

    async def lengths(self, texts: Sequence[str]) -> Sequence[int]:
        """Timed."""
        with self._watch.running():
            return await self._inner.lengths(texts)
