"""From what was read of a document to its title and chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from orchestrator.domain.documents import QA_MEDIA_TYPE, ParsedDocument, Piece
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking import Chunker
from orchestrator.ports.catalog import Work
from orchestrator.ports.embedder import Embedder


def cut(
    parsed: ParsedDocument, work: Work, chunking: Chunking, embedder: Embedder
) -> tuple[str, Sequence[Piece], Sequence[str]]:
    """The title, the pieces, and what is embedded of each; blocking.

    The title is the upload's own, else the one that the text gives, else the file's name.

    Raises:
        Unsupported: when there is no text.
    """
    title = work.title or parsed.title or PurePath(work.document.source_id).stem
    chunker = Chunker(parsed, title, embedder.token_spans, chunking, embedder.max_tokens)
    asked = work.document.media_type == QA_MEDIA_TYPE
    pieces = answers(parsed) if asked else chunker.pieces()
    if not pieces:
        raise Unsupported("the document holds no text", code="empty_document")
    return title, pieces, [chunker.embedded(piece) for piece in pieces]


def answers(parsed: ParsedDocument) -> list[Piece]:
    """One piece for each question that has an answer: the whole of it, below its question."""
    pieces = []
    for heading, after in zip(parsed.headings, [*parsed.headings[1:], None], strict=True):
        first, last = heading.start + len(heading.text), after.start if after else len(parsed.text)
        text = parsed.text[first:last].strip()
        if text:
            start = parsed.text.index(text, first)
            pieces.append(Piece(text, start, start + len(text), heading.text, asked=True))
    return pieces
