"""The guard: no citation of a passage that was not given, however the text comes in pieces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answering.grounding import CitationGuard


def shown(passages, *pieces):
    guard = CitationGuard(passages)
    text = "".join([*(guard.admit(piece) for piece in pieces), guard.finish()])
    return text, guard.cited


@pytest.mark.parametrize(
    ("text", "wanted", "cited"),
    [
        ("Paid in 7 days. [1]", "Paid in 7 days. [1]", {1}),
        ("One [1] and two [2].", "One [1] and two [2].", {1, 2}),
        ("One [1][2].", "One [1][2].", {1, 2}),
        ("Paid in 7 days. [3]", "Paid in 7 days.", set()),
        ("Paid [0] in [99] 7 days [2].", "Paid in 7 days [2].", {2}),
        ("Paid [1][3][2].", "Paid [1][2].", {1, 2}),
        ("Line\n[3]\nline", "Line\nline", set()),
        ("[3] begins", " begins", set()),
        ("a[1]", "a[1]", {1}),
        ("[01]", "[1]", {1}),
        ("Paid [1, 2].", "Paid [1][2].", {1, 2}),
        ("Paid [1,3; 2, 9].", "Paid [1][2].", {1, 2}),
        ("Paid [3, 9].", "Paid.", set()),
        ("Paid [1-3] or [1–2].", "Paid [1][2] or [1][2].", {1, 2}),
        ("Paid [1-99] or [9-1].", "Paid [1] or [1].", {1}),
        ("Paid [１] ［２］ 【1】 [٣].", "Paid [1] [2] [1].", {1, 2}),
        ("Paid 【2†L1-L4】【9†source】.", "Paid [2].", {2}),
        ("In [0, 1] since [2024-05-12] or [05-12].",) * 2 + (set(),),
        ("An open [1, 2 and [1-", "An open [1, 2 and [1-", set()),
        ("nothing cited", "nothing cited", set()),
        ("[a] [1 ] [ 9] [-1] []", "[a] [1] [-1] []", {1}),
        ("an open [1", "an open [1", set()),
        ("an open [", "an open [", set()),
        ("ends in space \n", "ends in space", set()),
        ("[[9]7]", "[7", set()),
        ("[[9]1]", "[1", set()),
        ("[1[9]]] a]", "[1 a]", set()),
        ("[[ [9][9]1]2]", "[[12", set()),
        ("[[2]1]", "[[2]1]", {2}),
        ("[1234567]", "[1234567", set()),
        ("[0000001]", "[0000001", set()),
        ("[1234567 apples]", "[1234567 apples]", set()),
        ("", "", set()),
    ],
)
def test_citations_of_what_was_not_given_are_taken_out(text, wanted, cited):
    assert shown(2, text) == (wanted, cited)


def test_without_passages_nothing_can_be_cited():
    assert shown(0, "Paid [0] [1].") == ("Paid.", set())


def test_text_that_cannot_become_a_citation_is_shown_at_once():
    guard = CitationGuard(2)

    assert guard.admit("Paid in 7 days.") == "Paid in 7 days."
    assert guard.admit(" More [a") == " More [a"


@pytest.mark.parametrize("piece", ["Paid [", "Paid [1", "Paid [123456", "Paid [1, ", "Paid 【1†so"])
def test_an_unfinished_citation_is_held_back(piece):
    guard = CitationGuard(2)

    assert guard.admit(piece) == "Paid"


def test_a_held_back_citation_is_shown_when_it_is_finished():
    guard = CitationGuard(2)
    guard.admit("Paid [")

    assert guard.admit("2] now") == " [2] now"
    assert guard.cited == {2}


def test_what_is_held_back_is_shown_once():
    guard = CitationGuard(2)
    guard.admit("Paid [1")

    assert guard.finish() == " [1"
    assert guard.finish() == ""


MARKER = re.compile(r"\[(\d+)\]")
SOME = re.compile(r"\[\s?\d+[\d\s,-]*\]|【")
characters = st.lists(st.sampled_from("[]0127 a,-【】†１"), max_size=24).map("".join)
WORDS = ["Paid", "7", ".", " ", "\n", "a[", "[", "]", "[x]", "(1)", "1]", "[12", "1234567", "[0]"]
LISTS = [
    "[1, 2]",
    "[2,7]",
    " [1-3]",
    "[ 2 ]",
    "【1†a】",
    "[１]",
    "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]",
]
MARKERS = ["[1]", "[2]", "[3]", " [2]", " [7]", "[10]", "\n[4]", "[123456]", "[1234567]"]
texts = characters | st.lists(st.sampled_from([*WORDS, *MARKERS, *LISTS]), max_size=16).map("".join)


@st.composite
def pieces_of_a_text(draw):
    text = draw(texts)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=len(text))))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(pieces_of_a_text(), st.integers(0, 12))
def test_however_the_text_is_cut_the_same_is_shown(cut, passages):
    text, pieces = cut

    assert shown(passages, *pieces) == shown(passages, text)


@given(pieces_of_a_text(), st.integers(0, 12))
def test_what_is_cited_is_what_is_shown_and_was_given(cut, passages):
    said, cited = shown(passages, *cut[1])

    assert {int(number) for number in MARKER.findall(said)} == cited
    assert cited <= set(range(1, passages + 1))


@given(pieces_of_a_text().filter(lambda cut: not SOME.search(cut[0])))
def test_text_without_citations_passes_unchanged_but_for_space_at_its_end(cut):
    text, pieces = cut

    said, cited = shown(0, *pieces)

    assert (said.rstrip(), cited) == (text.rstrip(), set())
    assert text.startswith(said)


@given(pieces_of_a_text())
def test_no_more_is_held_back_than_a_citation(cut):
    guard = CitationGuard(2)
    for piece in cut[1]:
        guard.admit(piece)

    assert len(guard.finish()) <= len(" [123" + ", 123" * 9)


plain = st.lists(st.sampled_from(["Paid", "7", ".", " ", "\n", "(1)", *MARKERS[:-1]]), max_size=16)


@given(plain, st.integers(0, 12))
def test_nothing_but_citations_and_space_is_taken_out(pieces, passages):
    said, _ = shown(passages, *pieces)

    def words(text):
        return "".join(MARKER.sub("", text).split())

    assert words(said) == words("".join(pieces))
