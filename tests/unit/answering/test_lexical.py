"""Support by words: plain cases of what a passage says, and of what it does not."""

from __future__ import annotations

import pytest

from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.ports.verifier import Claim
from tests.builders import passage

REFUNDS = (
    "Refunds are paid within 7 days of purchase. A refund goes back to the payment method that "
    "was used. Fees are not refunded. Receipts are due within 30 days of the journey."
)
HOTELS = "Hotels are reimbursed up to 140 EUR a night. Breakfast is not included, but lunch is."
RATES = (
    "Hotels are reimbursed up to 140 EUR a night in Berlin and Vienna as well as in Bern, and up "
    "to 180 EUR a night in Paris (without breakfast, which is paid by the employee)."
)
BOWL = (
    "The Denver Broncos defeated the Carolina Panthers. The game was played at Levi's Stadium in "
    "Santa Clara on February 7, 2016. The Panthers were led by Cam Newton."
)
ERROR = "Error E1042 means that the payment gateway rejected the signature."
ERSTATTUNG = (
    "Die Erstattung wird innerhalb von 7 Tagen nach dem Kauf gezahlt. Gebühren werden nicht "
    "erstattet. Die Frist beginnt im März."
)


async def support(*parts, of):
    claim = Claim(parts, tuple(passage(one, title="") for one in of))
    (found,) = await LexicalVerifier().support([claim])
    return found


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("Refunds are paid within 7 days of purchase.", REFUNDS),
        ("Within seven days of purchase, refunds are paid.", REFUNDS),
        ("Refunds are paid within 7 days, and receipts are due within 30 days.", REFUNDS),
        ("Fees aren't refunded.", REFUNDS),
        ("The refund goes to the payment method that was used.", REFUNDS),
        ("Up to €140 is reimbursed for hotels each night.", HOTELS),
        ("Breakfast is not included.", HOTELS),
        ("Hotels are reimbursed up to 180 EUR a night in Paris.", RATES),
        ("The Broncos defeated the Panthers.", BOWL),
        ("The Carolina Panthers were defeated by the Denver Broncos.", BOWL),
        ("It was played in Santa Clara on 7 February 2016.", BOWL),
        ("E1042 means that the gateway rejected the signature.", ERROR),
        ("Die Erstattung wird innerhalb von sieben Tagen gezahlt.", ERSTATTUNG),
        ("Gebühren werden nicht erstattet.", ERSTATTUNG),
        ("Die Frist beginnt im März.", ERSTATTUNG),
    ],
)
async def test_what_the_passage_says_is_supported(sentence, text):
    assert await support(sentence, of=[text]) >= 0.5


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("Refunds are paid within 14 days of purchase.", REFUNDS),
        ("Hotels are not reimbursed up to 180 EUR a night in Paris.", RATES),
        ("Breakfast is paid by the employee in Paris.", RATES.replace("which is", "which is not")),
        ("Refunds are paid within 30 days of purchase.", REFUNDS),
        ("Refunds are paid within nine days of purchase.", REFUNDS),
        ("Refunds are not paid within 7 days of purchase.", REFUNDS),
        ("Fees are refunded.", REFUNDS),
        ("Refunds are paid within 7 days, and the chairman has resigned.", REFUNDS),
        ("The chairman resigned in spring.", REFUNDS),
        ("Hotels are reimbursed up to 140 USD a night.", HOTELS),
        ("Hotels are reimbursed up to 140 EUR a week.", HOTELS),
        ("The Denver Broncos defeated the New York Giants.", BOWL),
        ("The Carolina Panthers defeated the Denver Broncos.", BOWL),
        ("The game was played at Levi's Stadium in March 2016.", BOWL),
        ("The Panthers were led by Peyton Manning.", BOWL),
        ("Error E2077 means that the payment gateway rejected the signature.", ERROR),
        ("Die Erstattung wird innerhalb von 14 Tagen nach dem Kauf gezahlt.", ERSTATTUNG),
        ("Die Erstattung wird nicht innerhalb von 7 Tagen gezahlt.", ERSTATTUNG),
        ("Gebühren werden erstattet.", ERSTATTUNG),
        ("Die Frist beginnt im Mai.", ERSTATTUNG),
    ],
)
async def test_what_it_does_not_say_is_not(sentence, text):
    assert await support(sentence, of=[text]) < 0.5


async def test_a_number_that_no_passage_has_decides():
    assert await support("Refunds are paid within 8 days of purchase.", of=[REFUNDS, HOTELS]) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "| Article | Price |\n| --- | --- |\n| Soup | 3 EUR |",
        "1. Rotate the key.\n2. Restart it.",
        "Refunds[2] are paid [7] in a week [[1]2].",
    ],
)
async def test_a_quotation_is_supported_wholly_however_its_passage_is_written(text):
    from orchestrator.domain.text import quotable, sentences, without_markers

    quotes = [without_markers(quotable(text[a:b])) for a, b in sentences(text)]

    assert [await support(one, of=[text]) for one in quotes] == [1.0] * len(quotes)


async def test_two_passages_can_support_one_sentence_together():
    sentence = "Refunds are paid within 7 days, and hotels are reimbursed up to 140 EUR."

    assert await support(sentence, of=[REFUNDS, HOTELS]) >= 0.5
    assert await support(sentence, of=[REFUNDS]) < 0.5


async def test_title_and_section_are_part_of_what_a_passage_says():
    claim = Claim(("Version 6.2 sorts parcels by weight.",), ())
    titled = passage("Parcels are now sorted by weight.", title="Release 6.2")

    (found,) = await LexicalVerifier().support([Claim(claim.parts, (titled,))])

    assert found >= 0.5
