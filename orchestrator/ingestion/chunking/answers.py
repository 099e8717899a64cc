"""Chunks of question and answer pairs: whole answers, found by their questions."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.ingestion.chunking.source import Cut, Source


def answers(source: Source) -> Iterator[Cut]:
    """`Strategy`: one chunk for each heading with text below it, whatever the budget."""
    text, headings = source.text, source.parsed.headings
    for heading, after in zip(headings, [*headings[1:], None], strict=True):
        first, last = heading.start + len(heading.text), after.start if after else len(text)
        if answer := text[first:last].strip():
            start = text.index(answer, first)
            yield source.answer((start, start + len(answer)), heading.text)
