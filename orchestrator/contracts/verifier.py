"""The promises of a `Verifier`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

from orchestrator.contracts.specimens import REFUNDS, passage
from orchestrator.ports.verifier import Claim, Verifier

LUNCH = "The canteen serves lunch from noon to two."


def claim(text: str, *passages: str) -> Claim:
    """A sentence that cites passages with these texts."""
    return Claim((text,), tuple(passage(one, title="") for one in passages))


class VerifierContract:
    """Needs the fixture `verifier`."""

    async def test_of_nothing_there_is_no_support(self, verifier: Verifier) -> None:
        assert list(await verifier.support([])) == []

    async def test_a_sentence_is_supported_by_the_passage_that_it_quotes(
        self, verifier: Verifier
    ) -> None:
        (found,) = await verifier.support([claim(REFUNDS, f"Welcome. {REFUNDS} Thanks.")])

        assert found >= 0.8

    async def test_a_sentence_is_not_supported_by_a_passage_about_something_else(
        self, verifier: Verifier
    ) -> None:
        (found,) = await verifier.support([claim(REFUNDS, LUNCH)])

        assert found <= 0.2

    async def test_without_passages_nothing_is_supported(self, verifier: Verifier) -> None:
        assert list(await verifier.support([claim(REFUNDS)])) == [0.0]

    async def test_one_of_several_passages_is_enough(self, verifier: Verifier) -> None:
        (found,) = await verifier.support([claim(REFUNDS, LUNCH, REFUNDS)])

        assert found >= 0.8

    async def test_support_comes_in_the_order_of_the_claims(self, verifier: Verifier) -> None:
        found = await verifier.support(
            [claim(REFUNDS, LUNCH), claim(REFUNDS, REFUNDS), claim(LUNCH, REFUNDS)]
        )

        assert [one > 0.5 for one in found] == [False, True, False]

    async def test_support_lies_between_0_and_1(self, verifier: Verifier) -> None:
        odd = ["", "?", "7", "Not.", "A" * 5000, "a b " * 500, "\x1b[31m", "0 1 2", "É 返金 –"]
        found = await verifier.support([claim(one, other) for one in odd for other in odd])

        assert len(found) == len(odd) ** 2
        assert all(0 <= one <= 1 for one in found)

    async def test_judging_lets_others_work(self, verifier: Verifier) -> None:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        working = asyncio.create_task(others())
        await verifier.support([claim(REFUNDS, REFUNDS, LUNCH)])
        working.cancel()

        assert turns
