"""Cutting a document into chunks that fit the embedding model."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from orchestrator.domain.documents import ParsedDocument, Piece
from orchestrator.domain.text import Span, blocks, sentences
from orchestrator.domain.workspaces import Chunking

SPECIAL_TOKENS = 2
"""What a model adds to every text, at its beginning and end."""


class Chunker:
    """Cuts at headings, then paragraphs, then sentences, then tokens: no finer than needed.

    `spans` are the document's tokens. A chunk, its title and its section together hold at most
    `chunking.tokens` tokens, and `max_tokens`, which is what the model reads.
    """

    def __init__(
        self,
        parsed: ParsedDocument,
        title: str,
        spans: Sequence[Span],
        chunking: Chunking,
        max_tokens: int,
    ) -> None:
        self._parsed = parsed
        self._title = title
        self._starts = [start for start, _ in spans]
        self._budget = min(chunking.tokens, max_tokens) - SPECIAL_TOKENS
        self._overlap = chunking.overlap

    def pieces(self) -> list[Piece]:
        """The chunks in order; together they hold every word of the text."""
        return [
            Piece(self._parsed.text[start:end], start, end, section, self._page(start))
            for section, first, last in self._sections()
            for start, end in self._packed(first, last, self._capacity(section))
        ]

    def _sections(self) -> Iterator[tuple[str | None, int, int]]:
        text, headings = self._parsed.text, self._parsed.headings
        if not headings or headings[0].start > 0:
            yield None, 0, headings[0].start if headings else len(text)
        if not headings:
            return
        path: list[tuple[int, str]] = []
        for heading, after in zip(headings, [*headings[1:], None], strict=True):
            path = [(level, name) for level, name in path if level < heading.level]
            path.append((heading.level, heading.text))
            names = [name for level, name in path if (level, name) != (1, self._title)]
            end = after.start if after else len(text)
            body = heading.start + len(heading.text)
            if text[body:end].strip():
                yield " > ".join(names) or None, body, end
            elif after is None or after.level <= heading.level:  # nothing below repeats its words
                yield " > ".join(names) or None, heading.start, end

    def _capacity(self, section: str | None) -> int:
        context = len(f"{self._title} {section or ''}".split()) * 2
        return max(self._budget - context, self._budget // 2)

    def _packed(self, first: int, last: int, capacity: int) -> Iterator[Span]:
        units = list(self._units(first, last, capacity))
        at = 0
        while at < len(units):
            start, stop = units[at][0], at
            while stop < len(units) and self._count(start, units[stop][1]) <= capacity:
                stop += 1
            stop = max(stop, at + 1)
            yield start, units[stop - 1][1]
            if stop == len(units):
                return
            at = self._step_back(units, at, stop)

    def _step_back(self, units: Sequence[Span], at: int, stop: int) -> int:
        back = stop
        while (
            back - 1 > at and self._count(units[back - 1][0], units[stop - 1][1]) <= self._overlap
        ):
            back -= 1
        return back

    def _units(self, first: int, last: int, capacity: int) -> Iterator[Span]:
        for block in blocks(self._parsed.text, first, last):
            if self._count(*block) <= capacity:
                yield block
                continue
            for sentence in sentences(self._parsed.text, *block):
                if self._count(*sentence) <= capacity:
                    yield sentence
                else:
                    yield from self._slices(*sentence, capacity)

    def _slices(self, start: int, end: int, capacity: int) -> Iterator[Span]:
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, end)
        cuts = [start, *(self._starts[at] for at in range(low + capacity, high, capacity)), end]
        yield from pairwise(cuts)

    def _count(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def _page(self, start: int) -> int | None:
        return bisect_right(self._parsed.pages, start) or None
