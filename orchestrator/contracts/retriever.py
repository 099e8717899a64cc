"""The promises of a `Retriever`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import Sequence

import pytest

from orchestrator.contracts.ledger import Ledger
from orchestrator.contracts.specimens import question
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Passage, Retrieval
from orchestrator.ports.retriever import Retriever

ASKED = "When are refunds paid?"
PUBLIC = (
    "Refunds are paid within 7 days of purchase.",
    "Refunds are sent to the card that was used.",
    "Invoices are paid within 30 days.",
    "Lunch is served at noon in the canteen.",
)
SECRET = tuple(f"Refunds are paid at once to guest number {number}." for number in range(30))


def ids(found: Retrieval) -> list[int]:
    """The chunks that were found, in order."""
    return [passage.chunk.id for passage in found.passages]


class RetrieverContract:
    """Needs `retriever`, over all of the fixture `ledger`, and `down`: one that nothing answers.

    A fixture that takes `ledger` reads what to find from `ledger.chunks`, and its rights from
    `ledger.roster`.
    """

    @pytest.fixture
    def ledger(self) -> Ledger:
        """A public document, one of the board's in a later revision, and one of the year 2026."""
        ledger = Ledger()
        ledger.write(*PUBLIC)
        ledger.write(*SECRET, acl={"board"})
        ledger.write("Refunds are paid in March.", metadata={"year": 2026})
        return ledger

    @pytest.fixture
    def asked(self, ledger: Ledger) -> Query:
        """The question of an anonymous caller, now."""
        return question(ASKED, scope=ledger.scope())

    def asked_in(self, scope: Scope) -> Query:
        """The question in another scope."""
        return question(ASKED, scope=scope)

    async def test_the_passage_that_answers_comes_first(
        self, retriever: Retriever, ledger: Ledger
    ) -> None:
        query = self.asked_in(ledger.scope(revision=1))

        found = await retriever.retrieve(query, limit=3)

        assert found.passages[0].chunk.text == PUBLIC[0]

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_no_more_passages_than_the_limit_are_found(
        self, retriever: Retriever, asked: Query, limit: int
    ) -> None:
        found = await retriever.retrieve(asked, limit=limit)

        assert 1 <= len(set(ids(found))) == len(found.passages) <= limit

    async def test_scores_fall_and_lie_between_0_and_1(
        self, retriever: Retriever, asked: Query
    ) -> None:
        found = await retriever.retrieve(asked, limit=100)

        scores = [passage.score for passage in found.passages]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] < scores[0] <= 1

    async def test_passages_carry_their_chunks(
        self, retriever: Retriever, ledger: Ledger, asked: Query
    ) -> None:
        found = await retriever.retrieve(asked, limit=100)

        assert all(passage.chunk == ledger.chunks[passage.chunk.id] for passage in found.passages)

    async def test_every_stage_that_found_a_passage_says_so(
        self, retriever: Retriever, asked: Query
    ) -> None:
        found = await retriever.retrieve(asked, limit=100)

        assert all(_ranked(passage) for passage in found.passages)
        stages = {stage for passage in found.passages for stage in passage.stages}
        for stage in stages:
            ranks = [one.stages[stage].rank for one in found.passages if stage in one.stages]
            assert len(set(ranks)) == len(ranks)

    async def test_nothing_is_missing_from_a_whole_retrieval(
        self, retriever: Retriever, asked: Query
    ) -> None:
        found = await retriever.retrieve(asked, limit=5)

        assert found.degraded == ()

    async def test_the_rights_of_others_do_not_crowd_out_what_may_be_seen(
        self, retriever: Retriever, ledger: Ledger, asked: Query
    ) -> None:
        found = await retriever.retrieve(asked, limit=3)

        texts = [ledger.chunks[chunk_id].text for chunk_id in ids(found)]
        assert len(texts) == 3
        assert not set(texts) & set(SECRET)

    async def test_who_is_in_the_group_sees_what_is_the_groups(
        self, retriever: Retriever, ledger: Ledger
    ) -> None:
        found = await retriever.retrieve(self.asked_in(ledger.scope("board")), limit=5)

        assert len(found.passages) == 5
        assert {passage.chunk.text for passage in found.passages} <= set(SECRET)

    async def test_filters_leave_only_what_they_let_through(
        self, retriever: Retriever, ledger: Ledger
    ) -> None:
        scope = ledger.scope(filters=Condition("year", "eq", 2026))

        found = await retriever.retrieve(self.asked_in(scope), limit=5)

        assert [one.chunk.text for one in found.passages] == ["Refunds are paid in March."]

    async def test_what_came_after_the_revision_is_not_found(
        self, retriever: Retriever, ledger: Ledger
    ) -> None:
        found = await retriever.retrieve(self.asked_in(ledger.scope(revision=1)), limit=100)

        assert {passage.chunk.text for passage in found.passages} <= set(PUBLIC)

    async def test_what_was_deleted_since_is_not_found(
        self, retriever: Retriever, ledger: Ledger, asked: Query
    ) -> None:
        before = await retriever.retrieve(asked, limit=100)
        ledger.delete(1)

        after = await retriever.retrieve(asked, limit=100)

        assert 1 in ids(before)
        texts = [passage.chunk.text for passage in after.passages]
        assert texts == ["Refunds are paid in March."]

    async def test_to_find_nothing_is_no_failure(
        self, retriever: Retriever, ledger: Ledger
    ) -> None:
        found = await retriever.retrieve(self.asked_in(ledger.scope("nobody")), limit=5)

        assert (list(found.passages), found.degraded) == ([], ())

    async def test_to_search_in_vain_is_not_to_find_nothing(
        self, down: Retriever, asked: Query
    ) -> None:
        with pytest.raises(Unavailable):
            await down.retrieve(asked, limit=5)


def _ranked(passage: Passage) -> Sequence[int]:
    return [stage.rank for stage in passage.stages.values() if stage.rank >= 1]
