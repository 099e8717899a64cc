"""Chunks that follow the document: its sections, pages, tables, paragraphs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from orchestrator.domain.text import Span, blocks, sentences, tables
from orchestrator.ingestion.chunking.packing import packed, parts
from orchestrator.ingestion.chunking.sections import sections
from orchestrator.ingestion.chunking.source import Cut, Source


def structure(source: Source) -> Iterator[Cut]:
    """`Strategy`: no chunk of two sections, nor with blocks that begin on two pages.

    A table stays whole where it fits; where it does not, its first row is embedded above the
    others, wherever they are.
    """
    for section, first, last in sections(source.parsed, source.title):
        context = source.context(section)
        capacity = source.capacity(context)
        at = first
        for start, end in tables(source.text, first, last):
            if source.count(start, end) > capacity:
                yield from _prose(source, (at, start), section, context, capacity)
                yield from _table(source, (start, end), section, context, capacity)
                at = end
        yield from _prose(source, (at, last), section, context, capacity)


def _prose(
    source: Source, span: Span, section: str | None, context: tuple[str, ...], capacity: int
) -> Iterator[Cut]:
    units = parts(source, *span, capacity, (_blocks_and_tables, sentences))
    for one in _packed_by_page(source, units, capacity):
        yield source.cut(one, section, context)


def _table(
    source: Source, span: Span, section: str | None, context: tuple[str, ...], capacity: int
) -> Iterator[Cut]:
    head = blocks(source.text, *span)[0]
    header = source.first(source.text[slice(*head)], capacity // 2)
    capacity -= source.tokens(header)
    units = parts(source, *span, capacity, (blocks, sentences))
    for one in _packed_by_page(source, units, capacity):
        above = () if one[0] < head[1] else (header,)
        yield source.cut(one, section, (*context, *above))


def _packed_by_page(source: Source, units: Iterator[Span], capacity: int) -> Iterator[Span]:
    for _, group in groupby(units, key=lambda unit: source.page(unit[0])):
        yield from packed(source, group, capacity)


def _blocks_and_tables(text: str, first: int, last: int) -> list[Span]:
    """Blocks, but the rows of a table as one."""
    found, at = list[Span](), first
    for start, end in tables(text, first, last):
        found += [*blocks(text, at, start), (start, end)]
        at = end
    return found + blocks(text, at, last)
