"""The promises of a `Reranker`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator.contracts.specimens import passage, question
from orchestrator.domain.passages import Passage
from orchestrator.ports.reranker import Reranker

TEXTS = (
    "Travel is booked by the assistant.",
    "Refunds are paid within 7 days of purchase.",
    "Lunch is served at noon.",
    "Refunds go back to the card that was used.",
    "The gateway refuses a wrong signature.",
)


class RerankerContract:
    """Needs the fixture `reranker`."""

    @pytest.fixture
    def passages(self) -> Sequence[Passage]:
        return [
            passage(text, chunk_id=rank, score=1 - rank / 10)
            for rank, text in enumerate(TEXTS, start=1)
        ]

    async def test_all_passages_are_kept_where_there_is_room(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=10)

        assert sorted(one.chunk.id for one in ranked) == [1, 2, 3, 4, 5]

    async def test_no_more_than_the_limit_are_kept(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=2)

        assert len({one.chunk.id for one in ranked}) == len(ranked) == 2

    async def test_a_smaller_limit_keeps_the_best_of_a_larger_one(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=5)
        best = await reranker.rerank(question(), passages, limit=2)

        assert [one.chunk.id for one in best] == [one.chunk.id for one in ranked[:2]]

    async def test_chunks_come_back_as_they_went_in(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=5)

        given = {one.chunk.id: one.chunk for one in passages}
        assert {one.chunk.id: one.chunk for one in ranked} == given

    async def test_scores_fall_and_lie_between_0_and_1(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=5)

        scores = [one.score for one in ranked]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= min(scores) <= max(scores) <= 1

    async def test_what_earlier_stages_said_is_kept(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question(), passages, limit=5)

        said = {one.chunk.id: one.stages["dense"] for one in passages}
        assert {one.chunk.id: one.stages["dense"] for one in ranked} == said

    async def test_of_no_passages_none_are_kept(self, reranker: Reranker) -> None:
        ranked = await reranker.rerank(question(), [], limit=5)

        assert list(ranked) == []

    async def test_a_question_without_words_is_no_error(
        self, reranker: Reranker, passages: Sequence[Passage]
    ) -> None:
        ranked = await reranker.rerank(question("?!"), passages, limit=2)

        assert len(ranked) == 2
