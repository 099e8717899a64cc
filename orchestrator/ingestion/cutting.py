"""From what was read of a document to its title and chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import PurePath
from typing import Final, assert_never

from orchestrator.domain.documents import QA_MEDIA_TYPE, ParsedDocument, Piece
from orchestrator.domain.errors import Unsupported
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking.answers import answers
from orchestrator.ingestion.chunking.recursive import recursive
from orchestrator.ingestion.chunking.semantic import semantic, topic_shifts
from orchestrator.ingestion.chunking.sentence import sentence
from orchestrator.ingestion.chunking.source import Cut, Source, Strategy
from orchestrator.ingestion.chunking.structure import structure
from orchestrator.ports.catalog import Work
from orchestrator.ports.embedder import Embedder

SHOWN: Final = 5
"""So many warnings say why there is no text."""


async def cut(
    parsed: ParsedDocument, work: Work, chunking: Chunking, embedder: Embedder
) -> tuple[str, Sequence[Piece], Sequence[str]]:
    """The title, the pieces, and what is embedded of each.

    The title is the upload's own, else the one that the text gives, else the file's name.

    Raises:
        Unsupported: when there is no text.
    """
    title = work.title or parsed.title or PurePath(work.document.source_id).stem
    asked = work.document.media_type == QA_MEDIA_TYPE
    strategy = answers if asked else await _strategy(parsed, chunking, embedder)

    def cuts() -> list[Cut]:
        source = Source(parsed, title, embedder.token_spans, chunking, embedder.max_tokens)
        return list(strategy(source))

    found = await asyncio.to_thread(cuts)
    if not found:
        raise _empty(parsed)
    return title, [one.piece for one in found], [one.embedded for one in found]


def _empty(parsed: ParsedDocument) -> Unsupported:
    count = len(parsed.pages)
    where = f" on any of its {count} pages" if count > 1 else ""
    why = f": {'; '.join(parsed.warnings[:SHOWN])}" if parsed.warnings else ""
    return Unsupported(f"the document holds no text{where}{why}", code="empty_document")


async def _strategy(parsed: ParsedDocument, chunking: Chunking, embedder: Embedder) -> Strategy:
    match chunking.strategy:
        case "recursive":
            return recursive
        case "sentence":
            return sentence
        case "structure":
            return structure
        case "semantic":
            return partial(semantic, shifts=await topic_shifts(parsed.text, embedder))
        case _:
            assert_never(chunking.strategy)
