"""Chunks of whole sentences, which is also what two of them share."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.domain.text import sentences
from orchestrator.ingestion.chunking.packing import packed, parts
from orchestrator.ingestion.chunking.source import Cut, Source


def sentence(source: Source) -> Iterator[Cut]:
    """`Strategy`: as many sentences as fit; only one that is too long by itself is cut."""
    context = source.context()
    capacity = source.capacity(context)
    units = parts(source, 0, len(source.text), capacity, (sentences,))
    for span in packed(source, units, capacity):
        yield source.cut(span, source.section(span[0]), context)
