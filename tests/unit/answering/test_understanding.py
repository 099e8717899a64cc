"""What a question is, by its form: its kind and why, its parts, and which side it speaks for."""

from __future__ import annotations

import time

import pytest

from orchestrator.answering.understanding import also, parts, understood


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ("How fast are refunds paid?", "question", "ends with a question mark"),
        ("how to change the limit", "question", "begins with 'how'"),
        ("in which year was it built", "question", "begins with 'in which'"),
        ("Vaccines cause no autism in children.", "question", "says something, in 6 words"),
        ("refund window", "lookup", "names something"),
        ("E1042", "lookup", "is one word"),
        ('"the payment gateway rejected the signature"', "lookup", "names something"),
        ("How fast are refunds paid, and who approves them?", "compound", "asks 2 things"),
        ("What is a refund? When is it paid?", "compound", "asks 2 things"),
    ],
)
def test_the_kind_of_a_question_is_told_with_the_rule_that_said_so(text, kind, why):
    found = understood(text)

    assert (found.kind, found.why, found.text_searched) == (kind, why, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "How fast are refunds paid, and who approves them?",
            ("How fast are refunds paid", "who approves them?"),
        ),
        ("What is a refund? When is it paid?", ("What is a refund?", "When is it paid?")),
        ("Within how many days are refunds paid, and receipts due?", ()),
        ("refunds and how they work", ()),
        ("Really? How fast are refunds paid?", ()),
        ("How fast are refunds paid?", ()),
    ],
)
def test_a_question_is_parted_where_each_part_can_be_asked_alone(text, wanted):
    assert parts(text) == wanted


@pytest.mark.parametrize(
    ("text", "lean"),
    [
        ("E1042", 1.0),
        ('Who said "the window is closed"?', 1.0),
        ("What does error E1042 of the gateway mean?", 0.5),
        ("Where is max_tokens set in the client?", 0.5),
        ("What does asyncio.run do with a loop?", 0.5),
        ("What is kept in /etc/hosts on a server?", 0.5),
        ("refund window", 0.5),
        ("How fast are refunds paid?", -0.5),
        ("Refunds are paid within seven days.", 0.0),
        ("What is meant by e.g. a refund?", -0.5),
    ],
)
def test_codes_quotes_and_names_speak_for_keywords_and_questions_for_vectors(text, lean):
    found = understood(text)

    assert found.lean == lean
    assert bool(found.lean_why) == bool(lean)


def test_synonyms_are_the_other_names_of_what_is_named():
    groups = (("PTO", "paid time off", "leave"), ("VPN", "virtual private network"))

    assert also("How much pto is there?", groups) == ("paid time off", "leave")
    assert also("How much paid time off is there", groups) == ("PTO", "leave")
    assert also("PTO over VPN", groups) == ("paid time off", "leave", "virtual private network")
    assert also("Is a leaver paid off in time?", groups) == ()


@pytest.mark.parametrize(
    "text", ["a" * 4000, "a1-" * 1300, "/a" * 2000, '"a ' * 1300, "a. " * 1300]
)
def test_no_question_takes_long_to_understand(text):
    began = time.process_time()
    understood(text)

    assert time.process_time() - began < 2
