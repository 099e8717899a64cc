"""Pairs: what is read of them, what is cut from them, and what is quoted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedder.mock import MockEmbedder
from adapters.generator.extractive import ExtractiveGenerator
from adapters.parser.qa import QaParser
from adapters.parser.registry import ParserRegistry
from adapters.reranker.mock import MockReranker
from orchestrator.domain.answers import Outcome, Token
from orchestrator.domain.characters import visible
from orchestrator.domain.documents import QA_MEDIA_TYPE
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking.answers import answers
from orchestrator.ingestion.chunking.source import Source
from orchestrator.ingestion.cutting import cut
from tests.builders import passage, question
from tests.unit.ingestion.office import work

PAIRS = [
    {"question": "May I\nbring a heron?", "answer": "May I bring a heron? Yes.\n\n# On a lead"},
    {"question": "What does parking cost?", "answer": "  4 EUR.  "},
]


def parsed(pairs=PAIRS):
    return QaParser().parse(json.dumps(pairs).encode())


@given(st.text(min_size=1, max_size=5))
def test_no_question_that_can_be_seen_loses_its_heading(text):
    pairs = [{"question": one, "answer": "Yes."} for one in (text, "And then?") if visible(one)]

    assert len(parsed(pairs).headings) == len(pairs)


def test_each_answer_is_a_piece_below_its_question():
    document = parsed()

    cuts = list(answers(Source(document, "Pets", MockEmbedder().token_spans, Chunking(), 512)))
    pieces = [one.piece for one in cuts]

    assert [(one.section, one.text) for one in pieces] == [
        ("May I bring a heron?", "May I bring a heron? Yes.\n\n# On a lead"),
        ("What does parking cost?", "4 EUR."),
    ]
    assert all(document.text[one.start : one.end] == one.text for one in pieces)
    assert [one.embedded("Pets") for one in pieces] == [one.section for one in pieces]
    assert [one.embedded for one in cuts] == [one.section for one in pieces]


@pytest.mark.parametrize("strategy", ["recursive", "sentence", "structure", "semantic"])
async def test_pairs_are_cut_into_answers_whatever_the_workspace_chose(strategy):
    given = replace(work(), document=replace(work().document, media_type=QA_MEDIA_TYPE))

    _, pieces, texts = await cut(parsed(), given, Chunking(strategy=strategy), MockEmbedder())

    assert [one.asked for one in pieces] == [True, True]
    assert texts == [one.section for one in pieces]


@pytest.mark.parametrize("content", [b"", b"{", b"7", b"[1]", b'[{"question": "q"}]', b"[[]]"])
def test_what_is_no_list_of_pairs_is_refused(content):
    with pytest.raises(Unsupported):
        QaParser().parse(content)


def test_no_uploaded_file_becomes_pairs_by_its_looks():
    kind = ParserRegistry().sniff(json.dumps(PAIRS).encode(), "faq.json")

    assert kind == "application/json"


def asked(query, answer, score=0.9):
    one = passage(answer, score=score)
    return replace(one, chunk=replace(one.chunk, section=query, asked=True))


async def told(query, *passages):
    generator = ExtractiveGenerator(words=30, sentences=1, evidence=0.5)
    events = [one async for one in generator.generate(question(query), passages)]
    text = "".join(one.text for one in events if isinstance(one, Token))
    return text, next(one for one in events if isinstance(one, Outcome)).answerable


async def test_an_answer_is_quoted_whole_though_it_shares_no_word_with_its_question():
    pair = asked("Are herons admitted?", "Yes. On weekdays, and on a lead.")

    assert await told("Are herons admitted?", pair) == (
        "Yes. On weekdays, and on a lead. [1]",
        True,
    )


async def test_an_answer_to_another_question_is_none():
    text, answerable = await told("How tall is the tower?", asked("Are herons admitted?", "Yes."))

    assert (answerable, "Yes" in text) == (False, False)


async def test_a_reranker_reads_the_question():
    first, second = asked("Opening hours?", "At seven."), asked("Are herons admitted?", "Yes.")

    ranked = await MockReranker().rerank(question("herons admitted"), [first, second], limit=2)

    assert [one.chunk.text for one in ranked] == ["Yes.", "At seven."]


async def test_of_an_answer_that_is_too_long_the_first_sentences_are_quoted():
    answer = " ".join(f"Herons of kind {number} are admitted." for number in range(40))

    text, _ = await told("Are herons admitted?", asked("Are herons admitted?", answer))

    quote = text.removesuffix("… [1]")
    assert answer.startswith(quote)
    assert quote.endswith("admitted.")
    assert 30 < len(quote.split()) < 60
