"""The promises of a keyword index that is a `Speller`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from typing import Any

from orchestrator.contracts.indexes import OfWords
from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.contracts.searching import OpenIndex
from orchestrator.ports.indexes import Speller


class SpellerContract(OfWords, OpenIndex):
    """Needs the fixture `store`, a `KeywordStore` of spellers that holds nothing."""

    async def test_an_index_that_finds_words_by_their_spelling_says_so(self, index: Any) -> None:
        assert isinstance(index, Speller)

    async def test_a_word_that_nothing_holds_finds_those_spelled_alike(
        self, index: Any, ledger: Ledger
    ) -> None:
        one, _, three = await _filled(index, ledger)

        found = await index.near(["refnuds", "gatewaay"], scope=ledger.scope(), limit=5)

        assert {word: list(ids) for word, ids in found.items()} == {
            "refnuds": [one],
            "gatewaay": [three],
        }

    async def test_words_that_are_held_and_words_like_no_other_find_nothing(
        self, index: Any, ledger: Ledger
    ) -> None:
        await _filled(index, ledger)

        words = ["refunds", "refunding", "the", "xylophone", "", "\ud800", "a b"]
        found = await index.near(words, scope=ledger.scope(), limit=5)

        assert found == {}

    async def test_no_more_chunks_are_found_than_the_limit(
        self, index: Any, ledger: Ledger
    ) -> None:
        ids = ledger.publish(5)
        await index.apply(ids_of(ids), ["Refunds are paid."] * 5, remove=NOTHING)

        found = await index.near(["refnuds"], scope=ledger.scope(), limit=3)

        assert len(set(found["refnuds"])) == 3

    async def test_what_others_see_neither_spells_nor_keeps_from_spelling(
        self, index: Any, ledger: Ledger
    ) -> None:
        (public,) = ledger.publish(1)
        secret, held = ledger.publish(2, acl={"board"})
        texts = ["Refunds are paid.", "Project Xylograph is secret.", "A refnuds fund."]
        await index.apply(ids_of([public, secret, held]), texts, remove=NOTHING)

        anyone = await index.near(["xylografh", "refnuds"], scope=ledger.scope(), limit=5)
        board = await index.near(["xylografh", "refnuds"], scope=ledger.scope("board"), limit=5)

        assert {word: list(ids) for word, ids in anyone.items()} == {"refnuds": [public]}
        assert {word: list(ids) for word, ids in board.items()} == {"xylografh": [secret]}


async def _filled(index: Any, ledger: Ledger) -> list[int]:
    ids = ledger.publish(3)
    texts = ["Refunds are paid.", "Lunch is served at noon.", "The gateway was restarted."]
    await index.apply(ids_of(ids), texts, remove=NOTHING)
    return ids
