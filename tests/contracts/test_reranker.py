"""Rerankers give back the best of the passages that they were given, and no others."""

from __future__ import annotations

import pytest

from adapters.reranker.mock import MockReranker
from adapters.reranker.none import NoReranker
from orchestrator.contracts.reranker import RerankerContract
from orchestrator.contracts.specimens import question


class TestNoReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> NoReranker:
        return NoReranker()

    async def test_the_order_stays(self, reranker, passages):
        ranked = await reranker.rerank(question(), passages, limit=3)

        assert list(ranked) == list(passages[:3])


class TestMockReranker(RerankerContract):
    @pytest.fixture
    def reranker(self) -> MockReranker:
        return MockReranker()

    async def test_the_passage_with_the_questions_words_comes_first(self, reranker, passages):
        ranked = await reranker.rerank(question("a wrong signature?"), passages, limit=2)

        assert ranked[0].chunk.id == 5
        assert (ranked[0].score, ranked[0].stages["reranker"].rank) == (1.0, 1)

    async def test_passages_that_are_alike_keep_their_order(self, reranker, passages):
        ranked = await reranker.rerank(question("volcano"), passages, limit=5)

        assert [passage.chunk.id for passage in ranked] == [1, 2, 3, 4, 5]
