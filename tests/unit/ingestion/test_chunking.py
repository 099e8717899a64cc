"""Cutting: within the budget, with exact spans, and without losing a word."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.documents import Heading, ParsedDocument
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking import SPECIAL_TOKENS, Chunker

TOKEN = re.compile(r"\S{1,12}")
"""A token is a word, or twelve letters of a longer one."""


def spans(text):
    return [one.span() for one in TOKEN.finditer(text)]


def count(text):
    return len(spans(text))


def document(*parts):
    """Paragraphs, and headings as `# …` with their level, as a parser gives them."""
    text, headings = "", []
    for part in parts:
        text += "\n\n" if text else ""
        if mark := re.match(r"(#+) ", part):
            headings.append(Heading(len(text), len(mark[1]), part[mark.end() :]))
            part = part[mark.end() :]  # noqa: PLW2901  # without its mark
        text += part
    return ParsedDocument(text, headings=headings)


def chunker(parsed, *, title="T", tokens=32, overlap=0, max_tokens=256, token_spans=spans):
    chunking = Chunking(tokens=tokens, overlap=overlap)
    return Chunker(parsed, title, token_spans, chunking, max_tokens)


def pieces(parsed, **options):
    return chunker(parsed, **options).pieces()


def words(number, letter="w"):
    return " ".join(f"{letter}{at}" for at in range(number))


def sentences(number):
    return " ".join(f"This is sentence {at}." for at in range(number))


def test_a_short_document_is_one_piece():
    parsed = document("One paragraph.", "Another one.")

    (piece,) = pieces(parsed)

    assert (piece.text, piece.start, piece.end) == (parsed.text, 0, len(parsed.text))
    assert (piece.section, piece.page) == (None, None)


def test_nothing_is_no_piece():
    assert pieces(document()) == []
    assert pieces(document("  \n\n ")) == []


def test_a_long_document_is_cut_between_paragraphs():
    parsed = document(words(20, "a"), words(20, "b"), words(5, "c"))

    assert [one.text for one in pieces(parsed)] == [
        words(20, "a"),
        words(20, "b") + "\n\n" + words(5, "c"),
    ]


def test_a_long_paragraph_is_cut_between_sentences():
    found = pieces(document(sentences(20)))

    assert len(found) > 1
    assert all(re.fullmatch(r"This .*\.", one.text) for one in found)


def test_a_long_sentence_is_cut_between_tokens():
    found = pieces(document(words(100)))

    assert [count(one.text) for one in found] == [28, 28, 28, 16]
    assert "".join(one.text for one in found) == words(100)


def test_a_long_sentence_is_cut_between_words_where_it_has_any():
    found = pieces(document(" ".join(["x" * 30] * 25)))

    assert [one.text.split() for one in found] == [["x" * 30] * 9] * 2 + [["x" * 30] * 7]


def test_a_huge_unbroken_word_is_cut_between_tokens():
    found = pieces(document("x" * 5000))

    assert "".join(one.text for one in found) == "x" * 5000
    assert max(count(one.text) for one in found) <= 30


def test_a_huge_word_that_is_one_token_stays_whole():
    parsed = ParsedDocument("x" * 5000)

    (piece,) = pieces(parsed, token_spans=lambda text: [(0, len(text))])

    assert piece.text == parsed.text


def test_a_table_is_cut_between_rows():
    rows = [f"| row {at} | cell of row {at} |" for at in range(12)]
    parsed = ParsedDocument("\n".join(rows))

    found = pieces(parsed)

    assert len(found) > 1
    assert [line for one in found for line in one.text.splitlines()] == rows


def test_headings_part_pieces_and_name_their_sections():
    parsed = document(
        "Before.", "# Refunds", "Of refunds.", "## Delays", "Of delays.", "# Fees", "Of fees."
    )

    assert [(one.text, one.section) for one in pieces(parsed)] == [
        ("Before.", None),
        ("Of refunds.", "Refunds"),
        ("Of delays.", "Refunds > Delays"),
        ("Of fees.", "Fees"),
    ]


def test_the_title_is_not_repeated_in_the_section():
    parsed = document("# Policy", "Of it.", "## Delays", "Of delays.")

    found = pieces(parsed, title="Policy")

    assert [(one.text, one.section) for one in found] == [
        ("Of it.", None),
        ("Of delays.", "Delays"),
    ]


def test_a_level_may_be_left_out():
    parsed = document("### Deep", "Of it.", "## Less deep", "Of that.", "# Top", "Of top.")

    assert [one.section for one in pieces(parsed)] == ["Deep", "Less deep", "Top"]


def test_a_heading_without_text_below_is_a_piece_of_its_own():
    parsed = document("# Fees", "# Refunds", "Of refunds.", "# Contact")

    assert [(one.text, one.section) for one in pieces(parsed)] == [
        ("Fees", "Fees"),
        ("Of refunds.", "Refunds"),
        ("Contact", "Contact"),
    ]


def test_a_heading_whose_text_stands_below_its_subheadings_is_no_piece():
    parsed = document("# Fees", "## Delivery", "Of delivery.")

    assert [(one.text, one.section) for one in pieces(parsed)] == [
        ("Of delivery.", "Fees > Delivery")
    ]


def test_a_piece_knows_the_page_that_it_begins_on():
    parsed = ParsedDocument(f"{words(25, 'a')}\n\n{words(25, 'b')}", pages=(0, 60))

    assert [one.page for one in pieces(parsed)] == [1, 2]


def test_the_smaller_of_configuration_and_model_is_the_budget():
    large = pieces(document(words(100)), tokens=64)
    small = pieces(document(words(100)), tokens=64, max_tokens=16)

    assert max(count(one.text) for one in large) > max(count(one.text) for one in small)
    assert max(count(one.text) for one in small) <= 16 - SPECIAL_TOKENS


def test_pieces_share_what_overlaps():
    parsed = document(sentences(20))

    found = pieces(parsed, overlap=9)

    for before, after in pairwise(found):
        shared = parsed.text[after.start : before.end]
        assert shared.startswith("This is sentence")
        assert 1 <= count(shared) <= 9


def test_without_an_overlap_pieces_share_nothing():
    found = pieces(document(sentences(20)))

    assert all(before.end <= after.start for before, after in pairwise(found))


def test_what_is_longer_than_the_overlap_is_not_shared():
    found = pieces(document(words(20, "a"), words(20, "b")), overlap=12)

    assert all(before.end <= after.start for before, after in pairwise(found))


def test_a_piece_that_would_only_repeat_the_one_before_is_left_out():
    found = pieces(document(words(10, "a"), words(12, "b"), words(20, "c")), overlap=15)

    assert [one.text for one in found] == [
        words(10, "a") + "\n\n" + words(12, "b"),
        words(20, "c"),
    ]


def test_a_long_title_leaves_half_of_the_budget_to_the_text():
    cut = chunker(document("# Fees", words(100)), title=words(200, "t"))

    found = cut.pieces()
    assert [count(one.text) for one in found] == [15] * 6 + [10]
    assert cut.embedded(found[0]) == f"{words(14, 't')}\nFees\n{words(15)} "


def test_a_title_of_one_long_word_is_counted_in_tokens():
    cut = chunker(document(words(40)), title="t" * 100)

    assert [count(one.text) for one in cut.pieces()] == [21, 19]
    assert cut.embedded(cut.pieces()[0]).startswith("t" * 100)


paragraphs = st.one_of(
    st.integers(1, 60).map(words),
    st.integers(1, 12).map(sentences),
    st.integers(1, 200).map(lambda number: "x" * number),
    st.sampled_from(
        ["- one\n- two\n- three", "| a | b |\n| 1 | 2 |", "It costs EUR 0.28.", "返金 。"]
    ),
    st.sampled_from(["# Refunds", "## Delays", "### Fees", "# T", "## Refunds"]),
)
documents = st.lists(paragraphs, max_size=8).map(lambda parts: document(*parts))
titles = st.sampled_from(["T", "", "A title", words(90, "t"), "t" * 300])
tokens, overlaps = st.integers(24, 80), st.integers(0, 11)


@given(documents, tokens, overlaps)
def test_a_piece_is_exactly_its_span_of_the_text(parsed, tokens, overlap):
    for piece in pieces(parsed, tokens=tokens, overlap=overlap):
        assert piece.text == parsed.text[piece.start : piece.end]
        assert piece.text.strip()


@given(documents, titles, tokens, overlaps, st.integers(16, 64))
def test_what_is_embedded_is_within_the_budget(parsed, title, tokens, overlap, most):
    cut = chunker(parsed, title=title, tokens=tokens, overlap=overlap, max_tokens=most)

    for piece in cut.pieces():
        assert count(cut.embedded(piece)) + SPECIAL_TOKENS <= min(tokens, most)
        assert cut.embedded(piece).endswith(piece.text)


@given(documents, tokens, overlaps)
def test_every_word_is_in_a_piece_or_in_its_section(parsed, tokens, overlap):
    found = pieces(parsed, tokens=tokens, overlap=overlap)

    held = set()
    for piece in found:
        held.update(range(piece.start, piece.end))
    named = {part for piece in found for part in (piece.section or "").split(" > ")} | {"T"}
    for heading in parsed.headings:
        if heading.text in named:
            held.update(range(heading.start, heading.start + len(heading.text)))
    lost = [at for at, char in enumerate(parsed.text) if not char.isspace() and at not in held]
    assert lost == []


@given(documents, tokens)
def test_every_piece_has_text_that_none_before_it_has(parsed, tokens):
    for before, after in pairwise(pieces(parsed, tokens=tokens, overlap=tokens // 2 - 1)):
        assert before.start < after.start
        assert before.end < after.end


@given(documents, tokens)
def test_a_piece_lies_in_one_section(parsed, tokens):
    edges = [heading.start for heading in parsed.headings]

    for piece in pieces(parsed, tokens=tokens):
        assert not [at for at in edges if piece.start < at < piece.end]


@pytest.mark.parametrize("overlap", [0, 5])
def test_the_same_document_is_always_cut_the_same(overlap):
    parsed = document("# A", sentences(9), words(80), "## B", sentences(20))

    assert pieces(parsed, overlap=overlap) == pieces(parsed, overlap=overlap)
