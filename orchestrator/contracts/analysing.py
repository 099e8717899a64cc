"""The promises of a keyword index that is an `Analyst`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.contracts.indexes import OfWords
from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.contracts.searching import OpenIndex
from orchestrator.ports.indexes import Analyst

GATEWAY = "The gateways were rejecting refunds in Zürich, error E1042."


class AnalystContract(OfWords, OpenIndex):
    """Needs the fixture `store`, a `KeywordStore` of analysts that holds nothing."""

    async def test_an_index_that_tells_its_words_says_so(self, index: Any) -> None:
        assert isinstance(index, Analyst)

    @pytest.mark.parametrize(
        ("word", "held"),
        [
            ("refund", True),
            ("GATEWAY", True),
            ("zürich", True),
            ("e1042", True),
            ("parking", False),
            ("the", False),
            ("", False),
            pytest.param("\ud800", False, id="half a character"),
        ],
    )
    async def test_a_text_is_found_by_the_words_that_it_is_told_to_have(
        self, index: Any, ledger: Ledger, word: str, held: bool
    ) -> None:
        one, two = ledger.publish(2)
        await index.apply(ids_of([one, two]), [GATEWAY, "Travel is booked."], remove=NOTHING)

        found = await index.search(word, scope=ledger.scope(), limit=2)

        assert [hit.chunk_id for hit in found] == ([one] if held else [])
        assert bool(set(index.terms(word)) & set(index.terms(GATEWAY))) == held
