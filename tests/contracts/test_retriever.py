"""Retrievers find passages in scope over real indexes, and never hide that a part is down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.keywords.rank_bm25 import RankBm25Store
from adapters.retriever.mock import OverlapStore
from adapters.vectors.memory import MemoryVectorStore
from orchestrator.answering.retrieval import (
    HybridRetriever,
    Side,
    SingleRetriever,
    dense_side,
    keyword_side,
)
from orchestrator.contracts.ledger import GENERATION, WORKSPACE, Ledger, ids_of
from orchestrator.contracts.retriever import RetrieverContract, ids
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Hit, Passage
from orchestrator.domain.workspaces import Fusion
from orchestrator.indexing.projection import Projection, Source
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import IndexKey


@pytest.fixture
def embedder() -> MockEmbedder:
    return MockEmbedder()


@pytest.fixture
async def projected(ledger: Ledger, embedder: MockEmbedder) -> AsyncIterator[dict[str, Any]]:
    """Projections of the ledger's chunks, by the stage that searches them."""

    async def texts(wanted: Ids) -> AsyncIterator[tuple[Ids, Sequence[str]]]:
        held = [one for one in wanted.tolist() if one in ledger.chunks]
        yield ids_of(held), [ledger.chunks[one].text for one in held]

    async def vectors(wanted: Ids) -> AsyncIterator[tuple[Ids, Any]]:
        async for some, found in texts(wanted):
            yield some, await embedder.embed(found)

    key = {"workspace": WORKSPACE, "generation": GENERATION}
    stores = {
        "dense": (MemoryVectorStore(), vectors, {"model": "mock", "dimension": 256}),
        "keyword": (RankBm25Store(), texts, {}),
        "mock": (OverlapStore(), texts, {}),
    }
    async with AsyncExitStack() as stack:
        yield {
            stage: await project(stack, store, source, ledger, **key, **more)
            for stage, (store, source, more) in stores.items()
        }


async def project(
    stack: AsyncExitStack, store: Any, source: Source, ledger: Ledger, **key: Any
) -> Projection[Any, Any]:
    index = await stack.enter_async_context(
        store.open(IndexKey(**key), ledger.roster, persist=False)
    )
    projection = Projection(index, source)
    await projection.catch_up(ledger.roster)
    return projection


@pytest.fixture
def sides(projected: dict[str, Any], embedder: MockEmbedder) -> dict[str, Side]:
    return {
        "dense": dense_side(embedder, projected["dense"]),
        "keyword": keyword_side(projected["keyword"]),
        "mock": keyword_side(projected["mock"]),
    }


@pytest.fixture
def read(ledger: Ledger) -> Callable[..., Any]:
    async def read(candidates: Sequence[Candidate], scope: Scope) -> Sequence[Passage]:
        assert all(ledger.roster.sees(one.chunk_id, scope) for one in candidates)
        return [Passage(ledger.chunks[one.chunk_id], one.score, one.stages) for one in candidates]

    return read


async def unanswered(_query: Query, _limit: int) -> Sequence[Hit]:
    raise Unavailable("the index", "it is down")


class Single(RetrieverContract):
    STAGE: str

    @pytest.fixture
    def retriever(self, sides, read):
        return SingleRetriever(self.STAGE, sides[self.STAGE], read)

    @pytest.fixture
    def down(self, read):
        return SingleRetriever(self.STAGE, unanswered, read)

    async def test_the_stage_is_named(self, retriever, asked):
        found = await retriever.retrieve(asked, limit=3)

        assert [tuple(one.stages) for one in found.passages] == [(self.STAGE,)] * 3


class TestDenseRetriever(Single):
    STAGE = "dense"


class TestKeywordRetriever(Single):
    STAGE = "keyword"


class TestMockRetriever(Single):
    STAGE = "mock"


FUSIONS = [
    Fusion(),
    Fusion(normalise="minmax"),
    Fusion(method="rrf"),
    Fusion(dense=1.0, keyword=0.0),
    Fusion(dense=0.0, keyword=1.0, method="rrf"),
]


class TestHybridRetriever(RetrieverContract):
    @pytest.fixture(params=FUSIONS, ids=["zscore", "minmax", "rrf", "dense alone", "keyword alone"])
    def fusion(self, request) -> Fusion:
        return request.param

    @pytest.fixture
    def build(self, read, fusion):
        def build(**sides: Side) -> HybridRetriever:
            return HybridRetriever(sides, read, fusion=fusion, depth=100)

        return build

    @pytest.fixture
    def retriever(self, sides, build):
        return build(dense=sides["dense"], keyword=sides["keyword"])

    @pytest.fixture
    def down(self, build):
        return build(dense=unanswered, keyword=unanswered)

    async def test_both_sides_say_what_they_found(self, retriever, asked):
        found = await retriever.retrieve(asked, limit=100)

        assert set(found.passages[0].stages) == {"dense", "keyword"}

    async def test_without_its_dense_side_it_is_degraded_and_answers(self, build, sides, asked):
        found = await build(dense=unanswered, keyword=sides["keyword"]).retrieve(asked, limit=2)

        assert found.degraded == ("dense_retrieval",)
        assert len(found.passages) == 2
        assert {stage for one in found.passages for stage in one.stages} == {"keyword"}

    async def test_without_its_keyword_side_it_is_degraded_and_answers(self, build, sides, asked):
        found = await build(dense=sides["dense"], keyword=unanswered).retrieve(asked, limit=2)

        assert found.degraded == ("keyword_retrieval",)
        assert len(found.passages) == 2
        assert {stage for one in found.passages for stage in one.stages} == {"dense"}

    async def test_who_is_down_is_named_when_both_are(self, down, asked):
        with pytest.raises(Unavailable, match="the index"):
            await down.retrieve(asked, limit=2)

    async def test_an_error_that_is_no_outage_is_not_swallowed(self, build, sides, asked):
        async def broken(_query: Query, _limit: int) -> Sequence[Hit]:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await build(dense=broken, keyword=sides["keyword"]).retrieve(asked, limit=2)

    async def test_both_sides_search_at_once(self, build, asked):
        met = asyncio.Barrier(2)

        async def waiting(_query: Query, _limit: int) -> Sequence[Hit]:
            await met.wait()
            return [Hit(1, 1.0)]

        async with asyncio.timeout(60):
            found = await build(dense=waiting, keyword=waiting).retrieve(asked, limit=2)

        assert ids(found) == [1]

    async def test_each_side_is_asked_for_its_depth(self, build, asked):
        limits = []

        async def counting(_query: Query, limit: int) -> Sequence[Hit]:
            limits.append(limit)
            return [Hit(1, 1.0)]

        await build(dense=counting, keyword=counting).retrieve(asked, limit=2)
        await build(dense=counting, keyword=counting).retrieve(asked, limit=500)

        assert limits == [100, 100, 500, 500]

    async def test_a_side_that_finds_nothing_degrades_nothing(self, build, sides, asked):
        async def empty(_query: Query, _limit: int) -> Sequence[Hit]:
            return []

        found = await build(dense=sides["dense"], keyword=empty).retrieve(asked, limit=2)

        assert (len(found.passages), found.degraded) == (2, ())
