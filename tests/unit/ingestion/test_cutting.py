"""Cutting: what a document is called, and what becomes of one without text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.embedder.mock import MockEmbedder
from orchestrator.domain.documents import Heading, ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.cutting import cut
from tests.unit.ingestion.office import Embedder, work


async def title_of(given, found, source_id="policies/refunds.v2.md"):
    document = replace(work().document, source_id=source_id)
    asked = replace(work(), title=given, document=document)
    parsed = ParsedDocument("Refunds are paid.", title=found)
    return (await cut(parsed, asked, Chunking(), MockEmbedder()))[0]


async def test_the_uploads_own_title_comes_first():
    assert await title_of("Given", "Found") == "Given"


async def test_then_the_title_that_the_text_gives():
    assert await title_of("", "Found") == "Found"


@pytest.mark.parametrize(
    ("source_id", "title"),
    [("policies/refunds.v2.md", "refunds.v2"), ("refunds", "refunds"), (".hidden", ".hidden")],
)
async def test_then_the_files_name(source_id, title):
    assert await title_of("", None, source_id) == title


async def test_what_is_embedded_of_a_piece_begins_with_the_title():
    parsed = ParsedDocument("Refunds are paid.")

    _, pieces, texts = await cut(parsed, work(), Chunking(), MockEmbedder())

    assert [one.text for one in pieces] == ["Refunds are paid."]
    assert texts == ["d1\nRefunds are paid."]


REFUNDS = " ".join(f"Refunds of purchase {at} are paid to the card." for at in range(6))
LOCKERS = " ".join(f"Parcel {at} waits in a locker at the station." for at in range(6))
POLICY = ParsedDocument(
    f"Refunds\n\n{REFUNDS}\n\nLockers\n\n{LOCKERS}",
    headings=[Heading(0, 2, "Refunds"), Heading(len(REFUNDS) + 11, 2, "Lockers")],
)


@pytest.mark.parametrize(
    ("strategy", "begins"),
    [
        ("recursive", ["Refunds\n\n", "Parcel 0 "]),
        ("sentence", ["Refunds\n\n", "Parcel 1 "]),
        ("structure", ["Refunds o", "Parcel 0 "]),
        ("semantic", ["Refunds\n\n", "Lockers\n\n"]),
    ],
)
async def test_the_strategy_is_the_workspaces_choice(strategy, begins):
    _, pieces, _ = await cut(POLICY, work(), Chunking(strategy, 72), MockEmbedder())

    assert [one.text[:9] for one in pieces] == begins


async def test_only_the_semantic_strategy_embeds_and_that_at_once():
    calls = {}
    for strategy in ("recursive", "sentence", "structure", "semantic"):
        embedder = Embedder()
        await cut(POLICY, work(), Chunking(strategy), embedder)
        calls[strategy] = [len(batch) for batch in embedder.batches]

    assert calls == {"recursive": [], "sentence": [], "structure": [], "semantic": [14]}


async def test_a_document_without_text_says_of_how_many_pages_and_why():
    warnings = ("pages 1-2 have no text layer", "page 3 is broken")
    parsed = ParsedDocument("", pages=(0, 0, 0), warnings=warnings)

    with pytest.raises(Unsupported) as caught:
        await cut(parsed, work(), Chunking(), MockEmbedder())

    assert caught.value.detail == (
        "the document holds no text on any of its 3 pages: pages 1-2 have no text layer; "
        "page 3 is broken"
    )


async def test_a_document_without_text_is_refused():
    with pytest.raises(Unsupported, match="holds no text") as caught:
        await cut(ParsedDocument(" \n "), work(), Chunking(), MockEmbedder())

    assert caught.value.code == "empty_document"
