"""Follow-ups by rules: a small set of conversations of our own, in English and German."""

from __future__ import annotations

import pytest

from orchestrator.answering.following import STANDS_ALONE, standalone, topic

HOTELS = "Up to what price a night are hotels reimbursed?"
REFUNDS = "How fast are refunds of cancelled trips paid?"
LEAVE = "How many days of leave do employees have in Germany?"
BASIC = "What does the Basic plan cost?"
URLAUB = "Wie viele Tage Urlaub gibt es in Deutschland?"
SPESEN = "Wann werden Spesen für Reisen erstattet?"

WHOLE = [
    (LEAVE, "And in France?", "How many days of leave do employees have in France?"),
    (LEAVE, "in France?", "How many days of leave do employees have in France?"),
    (LEAVE, "What about the Netherlands?", LEAVE.replace("Germany", "Netherlands")),
    (LEAVE, "How about Austria?", LEAVE.replace("Germany", "Austria")),
    (BASIC, "And Premium?", "What does the Premium plan cost?"),
    (BASIC, "what about Premium", "What does the Premium plan cost?"),
    ("What was the budget of 2024?", "and 2025?", "What was the budget of 2025?"),
    (HOTELS, "And in Berlin?", "Up to what price a night are hotels reimbursed in Berlin?"),
    (HOTELS, "What about trains?", "Up to what price a night are hotels reimbursed, trains?"),
    ("Who approves travel to Asia?", "And to Africa?", "Who approves travel to Africa?"),
    ("Is the office in Munich open?", "On Sundays?", "Is the office in Munich open on Sundays?"),
    ("Is it open?", "What about Sundays?", "Is it open, Sundays?"),
    (URLAUB, "Und in Frankreich?", "Wie viele Tage Urlaub gibt es in Frankreich?"),
    (URLAUB, "Was ist mit Österreich?", "Wie viele Tage Urlaub gibt es in Österreich?"),
]
TOPICS = [
    (REFUNDS, "Who approves them?", {"refunds", "cancelled", "trips"}),
    (REFUNDS, "And who approves them?", {"refunds", "trips"}),
    (REFUNDS, "Can they be refused?", {"refunds", "trips"}),
    (REFUNDS, "What is their limit?", {"refunds", "trips"}),
    (REFUNDS, "Why?", {"refunds", "trips", "paid"}),
    (REFUNDS, "By whom?", {"refunds", "trips", "paid"}),
    (REFUNDS, "And how long exactly?", {"refunds", "trips", "paid"}),
    ("What is the travel policy?", "Who wrote it?", {"travel", "policy"}),
    ("What is the travel policy?", "Does that apply abroad?", {"travel", "policy"}),
    ("What is the travel policy?", "Tell me more about that.", {"travel", "policy"}),
    ("Where is the Zurich office?", "How do I get there?", {"Zurich", "office"}),
    ("Who leads the legal team?", "When did she join?", {"legal", "team", "leads"}),
    (SPESEN, "Wer genehmigt sie?", set()),
    (SPESEN, "Wer haftet dafür?", {"Spesen", "Reisen", "erstattet"}),
    (REFUNDS, "who else?", {"refunds", "trips", "paid"}),
    (REFUNDS, "Do these apply to interns?", {"refunds", "trips", "interns"}),
    (SPESEN, "Kann man sie verlängern?", {"Spesen", "Reisen", "erstattet"}),
    (SPESEN, "Wer kontrolliert das?", {"Spesen", "Reisen", "erstattet"}),
    (SPESEN, "Warum?", {"Spesen", "Reisen", "erstattet"}),
]
ALONE = [
    (HOTELS, "How fast are refunds paid?"),
    (HOTELS, "Refund policy"),
    (HOTELS, "Berlin"),
    (REFUNDS, "Is it possible to work abroad?"),
    (REFUNDS, "How long does it take to get a visa?"),
    (REFUNDS, "Are there rules for remote work?"),
    (REFUNDS, "How do employees submit their receipts?"),
    (REFUNDS, "What do employees do if they are ill?"),
    (REFUNDS, "Can I return shoes when they are worn?"),
    (REFUNDS, "Which documents that are public may be shared?"),
    (REFUNDS, "Who signs the contracts of this company?"),
    (REFUNDS, "What is error E1042?"),
    (REFUNDS, "Who leads IT?"),
    (REFUNDS, "What does it mean to be a contractor?"),
    (REFUNDS, "Are pets allowed in the office, and what should they wear?"),
    (REFUNDS, "for whom is the gym?"),
    (REFUNDS, "Which plans include this feature?"),
    (REFUNDS, "Do managers and their teams share a budget?"),
    (REFUNDS, "And how many days of leave do employees have?"),
    (URLAUB, "Wie werden Reisekosten erstattet?"),
    (URLAUB, "Gibt es einen Betriebsrat?"),
    (URLAUB, "Ist es erlaubt, im Ausland zu arbeiten?"),
]


@pytest.mark.parametrize(("before", "asked", "whole"), WHOLE)
def test_a_fragment_takes_the_place_of_its_like_or_follows(before, asked, whole):
    text, why = standalone(asked, [before])

    assert text == whole
    assert why != STANDS_ALONE


@pytest.mark.parametrize(("before", "asked", "words"), TOPICS)
def test_what_refers_back_gets_the_words_of_what_it_refers_to(before, asked, words):
    text, why = standalone(asked, [before])

    assert words <= set(topic(text))
    assert (why == STANDS_ALONE) == (not words)


@pytest.mark.parametrize(("before", "asked"), ALONE)
def test_a_question_that_can_be_understood_alone_stays_as_it_is(before, asked):
    assert standalone(asked, [before]) == (asked, STANDS_ALONE)


def test_without_an_earlier_question_nothing_changes():
    assert standalone("And in Berlin?", []) == ("And in Berlin?", STANDS_ALONE)
    assert standalone("And in Berlin?", ["Why?"]) == ("And in Berlin?", STANDS_ALONE)


def test_a_follow_up_of_a_follow_up_goes_back_to_what_both_are_about():
    text, _ = standalone("Why?", [HOTELS, LEAVE, "And in France?"])

    assert {"leave", "employees", "France"} <= set(topic(text))
    assert not {"Germany", "hotels"} & set(topic(text))


def test_what_answers_said_is_not_among_the_words():
    text, why = standalone("Who approves them?", [REFUNDS])

    assert text == "Who approves them (refunds cancelled trips paid)?"
    assert why == "'them' refers to what was asked before"
