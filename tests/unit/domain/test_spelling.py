"""How far apart words are spelled, counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.spelling import apart

words = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("refund", "refund", 0),
        ("refnud", "refund", 1),  # swapped
        ("refnd", "refund", 1),  # left out
        ("refuund", "refund", 1),  # doubled
        ("rafund", "refund", 1),  # changed
        ("recieveed", "received", 2),
        ("gateway", "refund", 3),  # more than asked about
        ("", "ab", 2),
    ],
)
def test_changes_are_counted_up_to_one_more_than_asked_about(one, other, distance):
    assert apart(one, other, 2) == distance


@given(words, words)
def test_the_way_back_is_as_far(one, other):
    assert apart(one, other, 3) == apart(other, one, 3)


@given(words, words)
def test_only_a_word_itself_is_no_way_off(one, other):
    assert (apart(one, other, 3) == 0) == (one == other)
