"""Words as evidence: what is the same, what is a name or a number, and what negates."""

from __future__ import annotations

import pytest

from orchestrator.domain.words import capitals_are_names, negated, words


def terms(text):
    return [one.term for one in words(text)]


def numbers(text):
    return [one.term for one in words(text) if one.kind == "number"]


def names(text):
    return [one.term for one in words(text) if one.kind == "name"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("refund", "refunds"),
        ("refunded", "refunding"),
        ("policy", "policies"),
        ("day", "days"),
        ("reimbursed", "reimbursement"),
        ("company's", "companies"),
        ("Tag", "Tagen"),
        ("Erstattung", "Erstattungen"),
        ("%", "percent"),
        ("€", "EUR"),
        ("Euro", "EUR"),
    ],
)
def test_forms_of_a_word_are_the_same(one, other):
    assert terms(f"x {one}") == terms(f"x {other}")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("within 7 days", ["7"]),
        ("within seven days", ["7"]),
        ("sieben Tage", ["7"]),
        ("1,000 or 1.000 or 1000", ["1000", "1000", "1000"]),
        ("3.5 and 3,5", ["3.5", "3.5"]),
        ("007", ["7"]),
        ("the 2nd of March", ["2", "month 3"]),
        ("im März", ["month 3"]),
        ("2026-03-02", ["2026", "3", "2", "month 3"]),
        ("10:30", ["10:30"]),
        ("error E1042 of v4.9", ["e1042", "v4.9"]),
        ("5pm", ["5"]),
        ("you may march", []),
        ("May we? March on.", []),
        ("one of them", []),
    ],
)
def test_numbers_dates_and_codes_are_read(text, wanted):
    assert numbers(text) == wanted


def test_a_capital_within_a_sentence_is_a_name_and_at_its_beginning_is_not():
    assert names("Refunds go to Ada Smith. Fees go to NATO.") == ["ada", "smith", "nato"]


@pytest.mark.parametrize(
    "text",
    [
        "Fees are not refunded.",
        "Fees aren’t refunded.",
        "There is no refund.",
        "Paid without a receipt.",
        "They cannot be paid.",
        "Gebühren werden nicht erstattet.",
        "Es gibt keine Erstattung.",
        "Non-refundable.",
    ],
)
def test_what_negates_is_seen(text):
    assert negated(text)


@pytest.mark.parametrize("text", ["Fees are refunded.", "See no. 5.", "Notes on knots", "Nichte"])
def test_what_does_not_negate_is_not(text):
    assert not negated(text)


def test_capitals_mean_names_in_english_and_any_noun_in_german():
    assert capitals_are_names("The Broncos have beaten the Panthers.")
    assert capitals_are_names("Broncos beat Panthers.")
    assert not capitals_are_names("Die Erstattung wird von der Bank gezahlt.")
