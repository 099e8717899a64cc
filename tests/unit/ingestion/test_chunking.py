"""Cutting: within the budget, with exact spans, and without losing a word."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedder.mock import MockEmbedder
from orchestrator.domain import text
from orchestrator.domain.documents import Heading, ParsedDocument
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking import semantic as semantic_module
from orchestrator.ingestion.chunking import source as source_module
from orchestrator.ingestion.chunking.recursive import recursive
from orchestrator.ingestion.chunking.semantic import semantic, topic_shifts
from orchestrator.ingestion.chunking.sentence import sentence
from orchestrator.ingestion.chunking.source import SPECIAL_TOKENS, Source
from orchestrator.ingestion.chunking.structure import structure

TOKEN = re.compile(r"\S{1,12}")
"""A token is a word, or twelve letters of a longer one."""


def spans(words):
    return [one.span() for one in TOKEN.finditer(words)]


def count(words):
    return len(spans(words))


def document(*parts):
    """Paragraphs, and headings as `# …` with their level, as a parser gives them."""
    joined, headings = "", []
    for part in parts:
        joined += "\n\n" if joined else ""
        if mark := re.match(r"(#+) ", part):
            headings.append(Heading(len(joined), len(mark[1]), part[mark.end() :]))
            part = part[mark.end() :]  # noqa: PLW2901  # without its mark
        joined += part
    return ParsedDocument(joined, headings=headings)


def shifting(source):
    """The semantic strategy where the topic shifts with every third sentence."""
    starts = [start for start, _ in text.sentences(source.text)]
    return semantic(source, starts[3::3])


def cuts(
    parsed,
    strategy=structure,
    *,
    title="T",
    tokens=32,
    overlap=0,
    max_tokens=256,
    token_spans=spans,
):
    chunking = Chunking(tokens=tokens, overlap=overlap)
    return list(strategy(Source(parsed, title, token_spans, chunking, max_tokens)))


def pieces(parsed, strategy=structure, **options):
    return [one.piece for one in cuts(parsed, strategy, **options)]


every_strategy = pytest.mark.parametrize("strategy", [recursive, sentence, structure, shifting])
no_structure = pytest.mark.parametrize("strategy", [recursive, sentence, shifting])


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

    (piece,) = pieces(parsed, token_spans=lambda word: [(0, len(word))])

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
    found = cuts(document("# Fees", words(100)), title=words(200, "t"))

    assert [count(one.piece.text) for one in found] == [15] * 6 + [10]
    assert found[0].embedded == f"{words(14, 't')}\nFees\n{words(15)} "


def test_a_title_of_one_long_word_is_counted_in_tokens():
    found = cuts(document(words(40)), title="t" * 100)

    assert [count(one.piece.text) for one in found] == [21, 19]
    assert found[0].embedded.startswith("t" * 100)


@no_structure
def test_without_structure_headings_are_text_and_not_context(strategy):
    parsed = document("Before.", "# Refunds", "Of refunds.", "# Fees", "Of fees.")

    whole = cuts(parsed, strategy)
    if strategy is not shifting:
        assert [one.embedded for one in whole] == [f"T\n{parsed.text}"]
    assert "".join(one.piece.text for one in whole).count("Refunds") == 1
    assert "".join(one.embedded for one in whole).count("Refunds") == 1


def test_without_structure_a_piece_is_of_the_section_that_it_begins_in():
    parsed = document("# Refunds", words(27), "## Delays", words(27), "# Fees", words(27))

    assert [(one.text[:7], one.section) for one in pieces(parsed, recursive)] == [
        ("Refunds", "Refunds"),
        ("Delays\n", "Refunds > Delays"),
        ("Fees\n\nw", "Fees"),
    ]


def test_paragraphs_part_where_sentences_do_not():
    parsed = document(sentences(4), sentences(4))

    assert [one.text for one in pieces(parsed, recursive)] == [sentences(4), sentences(4)]
    assert [count(one.text) for one in pieces(parsed, sentence)] == [28, 4]


def test_sentences_share_whole_sentences():
    parsed = document(sentences(20))

    for before, after in pairwise(pieces(parsed, sentence, overlap=9)):
        shared = parsed.text[after.start : before.end]
        assert re.fullmatch(r"(This is sentence \d+\.\s?){2}", shared)


def test_nothing_is_shared_across_a_shift_of_topic():
    found = pieces(document(sentences(12)), shifting, overlap=9)

    assert [count(one.text) for one in found] == [12] * 4
    assert all(before.end <= after.start for before, after in pairwise(found))


def table(rows, cells=4):
    return "\n".join(["| Kind | Price |", *(f"| r{at} | {words(cells)} |" for at in range(rows))])


def test_a_table_that_fits_stays_whole():
    parsed = document(words(12, "a"), table(2), words(12, "b"))

    assert [one.text for one in pieces(parsed)] == [words(12, "a"), table(2), words(12, "b")]
    assert table(2) not in [one.text for one in pieces(parsed, recursive)]


def test_the_header_of_a_table_that_is_cut_is_embedded_with_every_part():
    found = cuts(document(words(5), table(8), words(6)), title="T")

    assert [one.piece.text.split()[:2] for one in found[1:-1]] == [
        ["|", "Kind"],
        ["|", "r2"],
        ["|", "r4"],
        ["|", "r6"],
    ]
    for one in found[2:-1]:
        assert one.embedded == f"T\n| Kind | Price |\n{one.piece.text}"
    assert [one.embedded for one in (found[0], found[-1])] == [f"T\n{words(5)}", f"T\n{words(6)}"]


def test_a_header_that_is_longer_than_its_rows_leaves_room_for_them():
    header = f"| {words(60, 'h')} |"
    found = cuts(ParsedDocument(f"{header}\n| 1 | 2 |\n| 3 | 4 |"))

    assert found[-1].piece.text.endswith("| 3 | 4 |")
    assert all(count(one.embedded) + SPECIAL_TOKENS <= 32 for one in found)


def test_blocks_that_begin_on_two_pages_are_in_two_pieces():
    parsed = ParsedDocument("One.\n\nRuns\nover.\n\nTwo.\n\nThree.", pages=(0, 11, 24))

    assert [(one.text, one.page) for one in pieces(parsed)] == [
        ("One.\n\nRuns\nover.", 1),
        ("Two.", 2),
        ("Three.", 3),
    ]
    assert [one.page for one in pieces(parsed, recursive)] == [1]


async def test_the_topic_shifts_where_neighbouring_sentences_are_unlike():
    refunds = [f"Refunds of purchase {at} are paid to the card." for at in range(6)]
    lockers = [f"Parcel {at} waits in a locker at the station." for at in range(6)]
    parsed = document(" ".join([*refunds, *lockers]))

    shifts = await topic_shifts(parsed.text, MockEmbedder())

    assert shifts == [parsed.text.index("Parcel 0")]
    found = list(semantic(Source(parsed, "T", spans, Chunking(), 256), shifts))
    assert [one.piece.text for one in found] == [" ".join(refunds), " ".join(lockers)]


async def test_a_text_of_several_batches_shifts_where_one_batch_would(monkeypatch):
    topics = ["refunds go to cards", "parcels wait in lockers", "trains leave at noon"]
    parsed = document(" ".join(f"Of {at}: {topics[at // 7 % 3]}." for at in range(60)))
    at_once = await topic_shifts(parsed.text, MockEmbedder())

    for batch in (1, 5, 7, 59):
        monkeypatch.setattr(semantic_module, "BATCH", batch)
        assert await topic_shifts(parsed.text, MockEmbedder()) == at_once
    assert [parsed.text[at:][:6] for at in at_once][:3] == ["Of 7: ", "Of 14:", "Of 21:"]


@pytest.mark.parametrize("words", ["", "One. Two. Three.", "The same again. " * 40])
async def test_without_a_valley_there_is_no_shift(words):
    assert await topic_shifts(words, MockEmbedder()) == []


paragraphs = st.one_of(
    st.integers(1, 60).map(words),
    st.integers(1, 12).map(sentences),
    st.integers(1, 200).map(lambda number: "x" * number),
    st.sampled_from(
        ["- one\n- two\n- three", "| a | b |\n| 1 | 2 |", table(9), "It costs EUR 0.28.", "返金 。"]
    ),
    st.sampled_from(["# Refunds", "## Delays", "### Fees", "# T", "## Refunds"]),
)
documents = st.lists(paragraphs, max_size=8).map(lambda parts: document(*parts))
titles = st.sampled_from(["T", "", "A title", words(90, "t"), "t" * 300])
tokens, overlaps = st.integers(24, 80), st.integers(0, 11)


@every_strategy
@given(documents, tokens, overlaps)
def test_a_piece_is_exactly_its_span_of_the_text(strategy, parsed, tokens, overlap):
    for piece in pieces(parsed, strategy, tokens=tokens, overlap=overlap):
        assert piece.text == parsed.text[piece.start : piece.end]
        assert piece.text.strip()


@every_strategy
@given(documents, titles, tokens, overlaps, st.integers(16, 64))
def test_what_is_embedded_is_within_the_budget(strategy, parsed, title, tokens, overlap, most):
    options = {"title": title, "tokens": tokens, "overlap": overlap, "max_tokens": most}

    for one in cuts(parsed, strategy, **options):
        assert count(one.embedded) + SPECIAL_TOKENS <= min(tokens, most)
        assert one.embedded.endswith(one.piece.text)


@every_strategy
@given(documents, tokens, overlaps)
def test_every_word_is_in_a_piece_or_in_its_section(strategy, parsed, tokens, overlap):
    found = pieces(parsed, strategy, tokens=tokens, overlap=overlap)

    held = set()
    for piece in found:
        held.update(range(piece.start, piece.end))
    named = {part for piece in found for part in (piece.section or "").split(" > ")} | {"T"}
    for heading in parsed.headings if strategy is structure else ():
        if heading.text in named:
            held.update(range(heading.start, heading.start + len(heading.text)))
    lost = [at for at, char in enumerate(parsed.text) if not char.isspace() and at not in held]
    assert lost == []


@every_strategy
@given(documents, tokens)
def test_every_piece_has_text_that_none_before_it_has(strategy, parsed, tokens):
    found = pieces(parsed, strategy, tokens=tokens, overlap=tokens // 2 - 1)

    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.end < after.end


@given(documents, tokens)
def test_a_piece_lies_in_one_section(parsed, tokens):
    edges = [heading.start for heading in parsed.headings]

    for piece in pieces(parsed, tokens=tokens):
        assert not [at for at in edges if piece.start < at < piece.end]


@given(documents, tokens, st.lists(st.integers(1, 400), max_size=4))
def test_a_piece_has_no_two_blocks_that_begin_on_two_pages(parsed, tokens, pages):
    parsed = replace(parsed, pages=(0, *sorted(pages)))

    for piece in pieces(parsed, tokens=tokens):
        begun = [start for start, _ in text.blocks(parsed.text, piece.start, piece.end)]
        assert len({bisect_right(parsed.pages, start) for start in begun}) == 1


@given(documents, tokens)
def test_a_table_is_whole_or_wholly_apart(parsed, tokens):
    found = pieces(parsed, tokens=tokens)

    for start, end in text.tables(parsed.text):
        touching = [one for one in found if one.start < end and one.end > start]
        whole = any(one.start <= start and one.end >= end for one in touching)
        assert whole or all(start <= one.start and one.end <= end for one in touching)


@every_strategy
@pytest.mark.parametrize("overlap", [0, 5])
def test_the_same_document_is_always_cut_the_same(strategy, overlap):
    parsed = document("# A", sentences(9), words(80), "## B", sentences(20))

    assert cuts(parsed, strategy, overlap=overlap) == cuts(parsed, strategy, overlap=overlap)


@pytest.mark.parametrize("space", [" ", "\n", ""], ids=["words", "lines", "one long word"])
def test_a_text_too_long_to_be_tokenised_at_once_is_tokenised_in_parts(monkeypatch, space):
    monkeypatch.setattr(source_module, "TOKENISED", 50)
    content = space.join(f"word{number:04d}" for number in range(100))
    asked = []

    def told(part):
        asked.append(part)
        return spans(part)

    source = Source(ParsedDocument(content), "T", told, Chunking(), 256)

    assert max(map(len, asked)) <= 50
    assert "".join(asked) == content
    if space:
        assert source.count(0, len(content)) == count(content) == 100
