"""Blocks, sentences and quotes: where text is cut, and where it is not."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.domain.text import blocks, quotable, sentences, tables, without_markers


def cut(how, text, *bounds):
    return [text[start:end] for start, end in how(text, *bounds)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        (" \n\t\n ", []),
        ("One.", ["One."]),
        ("One.\n\nTwo.", ["One.", "Two."]),
        ("One.\n \t\n\n  Two.  \n", ["One.", "Two."]),
        ("hard-wrapped\nlines are\none block", ["hard-wrapped\nlines are\none block"]),
        ("List:\n- one\n- two", ["List:", "- one", "- two"]),
        ("List:\n  * one\n  • two", ["List:", "* one", "• two"]),
        ("1. one\n2) two\n10. ten", ["1. one", "2) two", "10. ten"]),
        ("| a | b |\n| - | - |\n| 1 | 2 |", ["| a | b |", "| - | - |", "| 1 | 2 |"]),
        ("in the year\n2026. was it", ["in the year\n2026. was it"]),
        ("a range of 3\n-5 degrees", ["a range of 3\n-5 degrees"]),
        ("*emphasis*\n*is no item*", ["*emphasis*\n*is no item*"]),
    ],
)
def test_blocks_are_paragraphs_list_items_and_table_rows(text, wanted):
    assert cut(blocks, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("| only one row |", []),
        ("Before\n| a | b |\n| 1 | 2 |\n\nafter", ["| a | b |\n| 1 | 2 |"]),
        ("| a |\n  | 1 |", ["| a |\n  | 1 |"]),
        ("| a |\n| 1 |\n\n| b |\n| 2 |", ["| a |\n| 1 |", "| b |\n| 2 |"]),
        ("| a |\n- item\n| 1 |", []),
        ("| a |\n| no row\n| 1 |", []),
        ("ls | wc\ncat | wc", []),
    ],
)
def test_tables_are_rows_on_lines_that_follow_each_other(text, wanted):
    assert cut(tables, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        (
            "It costs EUR 0.28. It is paid in 7.5 days.",
            ["It costs EUR 0.28.", "It is paid in 7.5 days."],
        ),
        ("It is locker CB-440. It is new.", ["It is locker CB-440.", "It is new."]),
        ("Use CB-440.1 or v4.9.2 now. Then stop.", ["Use CB-440.1 or v4.9.2 now.", "Then stop."]),
        (
            "Dr. Abara of Acme Inc. Signed it. Then left.",
            ["Dr. Abara of Acme Inc. Signed it.", "Then left."],
        ),
        (
            "Codes, e.g. E1042, i.e. errors. Fix them.",
            ["Codes, e.g. E1042, i.e. errors.", "Fix them."],
        ),
        ("See No. 5 and Fig. 3. Next.", ["See No. 5 and Fig. 3.", "Next."]),
        ("The U.S. Army came. It left.", ["The U.S. Army came.", "It left."]),
        ("J. R. Hartley wrote it. It sold.", ["J. R. Hartley wrote it.", "It sold."]),
        ("At 5 p.m. it closes. Come early.", ["At 5 p.m. it closes.", "Come early."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("(It is so.) And on.", ["(It is so.)", "And on."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        (
            "hard-wrapped lines\nend here. Another\nbegins.",
            ["hard-wrapped lines\nend here.", "Another\nbegins."],
        ),
        ("A stop.\n\nno stop", ["A stop.", "no stop"]),
        (
            "- one item. With two sentences.\n- no stop",
            ["- one item.", "With two sentences.", "- no stop"],
        ),
        ("Ask help@acme.example. We answer.", ["Ask help@acme.example.", "We answer."]),
        ("...", ["..."]),
    ],
)
def test_sentences_end_where_a_reader_would_say_so(text, wanted):
    assert cut(sentences, text) == wanted


@pytest.mark.parametrize("how", [blocks, sentences])
def test_only_what_lies_within_the_bounds_is_cut(how):
    text = "One. Two.\n\nThree. Four."

    assert " ".join(cut(how, text, 5, 17)) == "Two. Three."


def test_a_block_never_shares_a_sentence_with_the_next():
    text = "A list without a stop:\n- first\n- second\n\nAnd a paragraph"

    assert cut(sentences, text) == [
        "A list without a stop:",
        "- first",
        "- second",
        "And a paragraph",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Refunds are paid.", "Refunds are paid."),
        ("hard-wrapped\n  lines", "hard-wrapped lines"),
        ("- an item", "an item"),
        ("  • an item", "an item"),
        ("12. an item", "an item"),
        ("3) an item", "an item"),
        ("| Paid in | 7 days |", "Paid in, 7 days"),
        ("| a |  | c |", "a, c"),
        ("|a|b|", "a, b"),
        ("| Paid late. ", "Paid late."),
        ("After 7 days |", "After 7 days"),
        ("The pipe a | b is a filter.", "The pipe a | b is a filter."),
        ("|x| is never negative.", "|x| is never negative."),
        ("- grep a | sort", "grep a | sort"),
        ("-5 degrees", "-5 degrees"),
        ("2026. A year", "2026. A year"),
        ("", ""),
    ],
)
def test_a_quote_is_one_line_without_marks(text, wanted):
    assert quotable(text) == wanted


WORDS = ["Refunds", "are", "e.g.", "EUR 0.28", "CB-440", "paid.", "No.", "What?", "(so.)", "|", "…"]
GAPS = ["\n", "\n\n", "\n- ", "\n1. ", "\n| ", " ", "  ", "\t", "ß", "返金。", "\xa0"]
prose = st.lists(st.sampled_from([*WORDS, *GAPS]), max_size=25).map(" ".join)
anything = prose | st.text(max_size=60)


def flat(text, spans):
    return [at for start, end in spans for at in range(start, end) if not text[at].isspace()]


@pytest.mark.parametrize("how", [blocks, sentences])
@given(text=anything)
@example(text="\x1c.\n- ")
def test_spans_are_ordered_and_apart(how, text):
    spans = how(text)

    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("how", [blocks, sentences])
@given(text=anything)
def test_spans_hold_every_character_that_is_no_space(how, text):
    wanted = [at for at, char in enumerate(text) if not char.isspace()]

    assert flat(text, how(text)) == wanted


@pytest.mark.parametrize("how", [blocks, sentences])
@given(text=anything)
def test_spans_have_no_space_around_them(how, text):
    assert all(one == one.strip() for one in cut(how, text))


@given(text=anything)
def test_a_sentence_lies_within_one_block(text):
    around = blocks(text)

    assert all(
        any(first <= start and end <= last for first, last in around)
        for start, end in sentences(text)
    )


@given(text=anything)
def test_a_sentence_cut_again_stays_whole(text):
    assert all(len(cut(blocks, one)) == 1 for one in cut(sentences, text))


@given(text=anything)
def test_a_quote_has_no_line_break(text):
    assert len(quotable(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Paid in 7 days [1].", "Paid in 7 days."),
        ("Paid [1][2] in 7 days 【3†source】.", "Paid in 7 days."),
        ("Paid [１] in 7 days ［2］ [ 3 ].", "Paid in 7 days."),
        ("Paid [[1]2] in 7 days.", "Paid in 7 days."),
        ("It lies in [0, 1].", "It lies in (0, 1)."),
        ("Paid in 7 days [1, 2; 4-6].", "Paid in 7 days (1, 2; 4-6)."),
        ("An [a] list [b1] of [] names", "An [a] list [b1] of [] names"),
    ],
)
def test_nothing_of_a_document_reads_like_a_citation(text, plain):
    assert without_markers(text) == plain
