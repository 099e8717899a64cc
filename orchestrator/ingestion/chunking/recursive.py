"""Chunks of a fixed budget: between paragraphs, else sentences, else tokens; headings are text."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.domain.text import blocks, sentences
from orchestrator.ingestion.chunking.packing import packed, parts
from orchestrator.ingestion.chunking.source import Cut, Source


def recursive(source: Source) -> Iterator[Cut]:
    """`Strategy`: no finer than needed; a chunk's section is the one that it begins in."""
    context = source.context()
    capacity = source.capacity(context)
    units = parts(source, 0, len(source.text), capacity, (blocks, sentences))
    for span in packed(source, units, capacity):
        yield source.cut(span, source.section(span[0]), context)
