"""What kind of thing a question asks for, and whether a sentence has one."""

from __future__ import annotations

import pytest

from adapters.analysis import WORD
from adapters.generator.asked import IDENTIFIER, has, kind, unknown_identifiers


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("When are refunds paid?", "Refunds are paid within 7 days."),
        ("When are refunds paid?", "Refunds are paid after delivery."),
        ("When was it built?", "It was built in 1889."),
        ("On what day is it closed?", "It is closed on Sunday."),
        ("How long does it take?", "It takes three weeks."),
        ("At which time does it open?", "It opens at 9 am."),
        ("How many lockers are there?", "There are 12 lockers."),
        ("How many lockers are there?", "There are twelve lockers."),
        ("How often is it checked?", "It is checked twice."),
        ("What is the price?", "It costs EUR 0.28."),
        ("What percentage is refunded?", "Half of it is refunded."),
        ("How many lockers are open each day?", "Each day, 12 lockers are."),
        ("What is the minimum age?", "Anyone of 16 years may come."),
        ("Which version is needed?", "It needs 6.3 or later."),
        ("What do visitors pay?", "Visitors pay 4 EUR."),
        ("Who signs it?", "It is signed by Ada Abara."),
        ("Why is it closed?", "It is closed because of rain."),
        ("What is it?", "It is closed."),
    ],
)
def test_a_sentence_has_what_is_asked_for(question, sentence):
    assert has(kind(question), WORD.findall(sentence))


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("When are refunds paid?", "Refunds are paid to the card that was used."),
        ("How long does it take?", "It takes patience."),
        ("How many lockers are there?", "There are lockers."),
        ("What is the price?", "It is cheap."),
        ("HOW MUCH is refunded?", "The fee is refunded."),
        ("How many lockers may I use?", "After 3 days it is emptied."),
        ("What is the minimum age?", "It is kept for 4 days."),
        ("Which version is needed?", "It needs a newer release."),
        ("Who signs it?", "It is signed by the lead."),
        ("Why is it closed?", "It is closed."),
    ],
)
def test_a_sentence_lacks_what_is_asked_for(question, sentence):
    assert not has(kind(question), WORD.findall(sentence))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("What does E1042 mean?", ["E1042"]),
        ("Is CB-440 like cb440?", ["CB-440", "cb440"]),
        ("What is new in v4.9.2?", ["v4.9.2"]),
        ("Close JIRA-17 and PR_8b.", ["JIRA-17", "PR_8b"]),
        ("In 2026, of 14 lockers", []),
        ("Before the 20th, in the 1990s", []),
        ("Refunds within seven days", []),
    ],
)
def test_a_word_of_letters_and_digits_is_a_code(text, codes):
    assert IDENTIFIER.findall(text) == codes


@pytest.mark.parametrize(
    ("question", "text", "unknown"),
    [
        ("What does E1042 mean?", "Error E1042 means a wrong signature.", False),
        ("What does e1042 mean?", "Error E1042 means a wrong signature.", False),
        ("What does E2000 mean?", "Error E1042 means a wrong signature.", True),
        ("Is CB-440 like CB-441?", "CB-440 is a locker.", True),
        ("What does the error mean?", "Error E1042 means a wrong signature.", False),
    ],
)
def test_a_code_that_the_text_does_not_have_is_unknown(question, text, unknown):
    assert unknown_identifiers(question, text) is unknown
