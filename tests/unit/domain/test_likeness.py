"""Likeness of texts, told from their sketches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.likeness import ALIKE, MAX_WORDS, SKETCH, sketch

WORDS = [f"word{number}" for number in range(400)]


def share(one: str, other: str) -> float:
    a, b = sketch(one), sketch(other)
    return len(set(a) & set(b)) / max(len(a), len(b))


@given(st.text())
def test_a_sketch_is_small_ascending_and_fits_a_signed_number(text):
    made = sketch(text)

    assert 1 <= len(made) <= SKETCH
    assert made == sorted(set(made))
    assert all(0 <= one < 2**63 for one in made)


def test_case_punctuation_and_spaces_do_not_count():
    assert sketch("Refunds are paid, within 7 days!") == sketch("refunds  ARE paid within 7\ndays")


@pytest.mark.parametrize(("changed", "alike"), [(0, True), (4, True), (100, False), (400, False)])
def test_texts_are_alike_when_few_words_changed(changed, alike):
    every = 400 // changed if changed else 1000
    other = ["other" if at % every == every - 1 else word for at, word in enumerate(WORDS)]

    assert (share(" ".join(WORDS), " ".join(other)) >= ALIKE) is alike


def test_a_text_of_few_words_has_a_sketch_of_its_own():
    assert sketch("Refunds are paid.") != sketch("Refunds are due.")


def test_half_a_character_is_no_hindrance():
    assert sketch("\ud800 a") == sketch("\ud800 A")


def test_what_comes_after_very_many_words_does_not_count():
    long = "a b c d e " * (MAX_WORDS // 5)

    assert sketch(long + "the end") == sketch(long + "another end")
    assert sketch(long[10:] + "the end") != sketch(long[10:] + "another end")
