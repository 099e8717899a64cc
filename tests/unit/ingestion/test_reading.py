"""Reading: what a document is called, and what becomes of one without text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.embedder.mock import MockEmbedder
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.reading import read
from tests.unit.ingestion.office import work


class OneParser:
    """Gives the same document for everything, and notes what it was asked to read."""

    def __init__(self, parsed):
        self.parsed = parsed
        self.asked = []

    def parse(self, content, media_type):
        self.asked.append((content, media_type))
        return self.parsed


def title_of(given, found, source_id="policies/refunds.v2.md"):
    parsers = OneParser(ParsedDocument("Refunds are paid.", title=found))
    document = replace(work().document, source_id=source_id)
    asked = replace(work(), title=given, document=document)
    return read(b"...", asked, parsers, Chunking(), MockEmbedder())[0]


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


def test_the_parser_reads_the_bytes_by_their_media_type():
    parsers = OneParser(ParsedDocument("Refunds are paid."))

    _, pieces, texts = read(b"bytes", work(), parsers, Chunking(), MockEmbedder())

    assert parsers.asked == [(b"bytes", "text/plain")]
    assert [one.text for one in pieces] == ["Refunds are paid."]
    assert texts == ["d1\nRefunds are paid."]


def test_a_document_without_text_is_refused():
    with pytest.raises(Unsupported, match="holds no text") as caught:
        read(b" ", work(), OneParser(ParsedDocument(" \n ")), Chunking(), MockEmbedder())

    assert caught.value.code == "empty_document"
