"""An answer's text as statements: which sentence a citation belongs to, and what claims nothing."""

from __future__ import annotations

import time

import pytest

from orchestrator.domain.answers import NOT_FOUND
from orchestrator.domain.statements import claims, known_words, statements


def read(text):
    return [(text[one.start : one.end], one.cites) for one in statements(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Paid in 7 days. [1]", [("Paid in 7 days. [1]", (1,))]),
        ("Paid in 7 days [1].", [("Paid in 7 days [1].", (1,))]),
        ("Paid in 7 days.[1] Sent.[2]", [("Paid in 7 days.[1]", (1,)), ("Sent.[2]", (2,))]),
        ("Paid. [1] [2] Sent [3].", [("Paid. [1] [2]", (1, 2)), ("Sent [3].", (3,))]),
        ("Paid [2] and sent [1][2].", [("Paid [2] and sent [1][2].", (2, 1))]),
        ("[1] Paid.\n[2] Sent.", [("[1] Paid.", (1,)), ("[2] Sent.", (2,))]),
        ("Paid\n[1]\nSent. [2]", [("Paid\n[1]", (1,)), ("Sent. [2]", (2,))]),
        ("- Paid [1]\n- Sent [2]", [("- Paid [1]", (1,)), ("- Sent [2]", (2,))]),
        ("1. Paid. [1]\n2. Sent. [2]", [("1. Paid. [1]", (1,)), ("2. Sent. [2]", (2,))]),
        ("Dr. Ada, e.g., pays. [1] So", [("Dr. Ada, e.g., pays. [1]", (1,)), ("So", ())]),
        ("Paid up to 3.5 EUR. [1]", [("Paid up to 3.5 EUR. [1]", (1,))]),
        ("Zahlt die Bank? Ja. [1]", [("Zahlt die Bank?", (1,)), ("Ja. [1]", (1,))]),
        ("[1]", []),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_a_citation_belongs_to_the_sentence_in_or_after_which_it_stands(text, wanted):
    assert read(text) == wanted


def test_a_citation_speaks_for_the_sentences_before_it_in_its_paragraph():
    found = statements("Paid. Sent. [1] Done.\n\nNew. Old [2].")

    assert [(one.cites, one.own) for one in found] == [
        ((1,), False), ((1,), True), ((), False), ((2,), False), ((2,), True),
    ]  # fmt: skip


def test_what_a_statement_says_is_without_its_citations():
    (one,) = statements("- Paid [1] in 7 days [2].")

    assert (one.parts, one.text) == (("Paid", "in 7 days"), "Paid in 7 days")


KNOWN = known_words("How are refunds paid?", "Refund policy")


def claims_something(text):
    return [claims(one, KNOWN) for one in statements(text)]


@pytest.mark.parametrize(
    "text",
    [
        NOT_FOUND,
        "## Refunds",
        "**Refund policy**",
        "How refunds are paid:",
        "Here is what the documents say:",
        "According to the sources:",
        "Sure!",
        "I hope this helps.",
        "Let me know if you have any questions.",
        "Ich hoffe, das hilft.",
        "How are refunds paid?",
        "---",
        "***",
    ],
)
def test_what_claims_nothing_needs_no_citation(text):
    assert claims_something(text) == [False] * len(statements(text))


@pytest.mark.parametrize(
    "text",
    [
        "Refunds are paid.",
        "Refunds are paid:",
        "Refunds are not paid:",
        "## Refunds within 7 days",
        "## Refunds by the chairman",
        "Here is the answer: the chairman pays:",
        "- Refunds",
        "Did you know that the chairman resigned?",
        "Sure, the chairman pays.",
        "Sure! [1]",
        "Yes.",
    ],
)
def test_what_says_something_does(text):
    assert any(claims_something(text))


@pytest.mark.parametrize("piece", ["? ", "Ab. ", "1. ", "- 7\n"])
def test_the_time_it_takes_grows_with_the_text_alone(piece):
    def took(count):
        began = time.process_time()
        statements(piece * count)
        return time.process_time() - began

    assert min(took(16_000) for _ in range(3)) < 40 * max(min(took(1000) for _ in range(3)), 1e-3)
