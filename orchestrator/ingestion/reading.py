"""Reading one document: bytes to a title and chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from orchestrator.domain.documents import Piece
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking import Chunker
from orchestrator.ports.catalog import Work
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.parser import Parsers


def read(
    content: bytes, work: Work, parsers: Parsers, chunking: Chunking, embedder: Embedder
) -> tuple[str, Sequence[Piece], Sequence[str]]:
    """Parse and cut; blocking: the title, the pieces, and what is embedded of each.

    The title is the upload's own, else the one that the text gives, else the file's name.

    Raises:
        Unsupported: when the bytes cannot be read, or hold no text.
    """
    parsed = parsers.parse(content, work.document.media_type)
    title = work.title or parsed.title or PurePath(work.document.source_id).stem
    chunker = Chunker(parsed, title, embedder.token_spans, chunking, embedder.max_tokens)
    pieces = chunker.pieces()
    if not pieces:
        raise Unsupported("the document holds no text", code="empty_document")
    return title, pieces, [chunker.embedded(piece) for piece in pieces]
