"""Cutting: what a document is called, and what becomes of one without text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.embedder.mock import MockEmbedder
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.cutting import cut
from tests.unit.ingestion.office import work


def title_of(given, found, source_id="policies/refunds.v2.md"):
    document = replace(work().document, source_id=source_id)
    asked = replace(work(), title=given, document=document)
    parsed = ParsedDocument("Refunds are paid.", title=found)
    return cut(parsed, asked, Chunking(), MockEmbedder())[0]


def test_the_uploads_own_title_comes_first():
    assert title_of("Given", "Found") == "Given"


def test_then_the_title_that_the_text_gives():
    assert title_of("", "Found") == "Found"


@pytest.mark.parametrize(
    ("source_id", "title"),
    [("policies/refunds.v2.md", "refunds.v2"), ("refunds", "refunds"), (".hidden", ".hidden")],
)
def test_then_the_files_name(source_id, title):
    assert title_of("", None, source_id) == title


def test_what_is_embedded_of_a_piece_begins_with_the_title():
    _, pieces, texts = cut(ParsedDocument("Refunds are paid."), work(), Chunking(), MockEmbedder())

    assert [one.text for one in pieces] == ["Refunds are paid."]
    assert texts == ["d1\nRefunds are paid."]


def test_a_document_without_text_is_refused():
    with pytest.raises(Unsupported, match="holds no text") as caught:
        cut(ParsedDocument(" \n "), work(), Chunking(), MockEmbedder())

    assert caught.value.code == "empty_document"
