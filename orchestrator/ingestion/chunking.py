"""Cutting a document into chunks that fit the embedding model."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from orchestrator.domain.documents import ParsedDocument, Piece
from orchestrator.domain.text import Span, blocks, sentences
from orchestrator.domain.workspaces import Chunking

SPECIAL_TOKENS = 2
"""What a model adds to every text, at its beginning and end."""


class Chunker:
    """Cuts at headings, then paragraphs, then sentences, then tokens: no finer than needed.

    `token_spans` finds a text's tokens. What is embedded of a chunk holds at most
    `chunking.tokens` of them, and `max_tokens`, which is what the model reads.
    """

    def __init__(
        self,
        parsed: ParsedDocument,
        title: str,
        token_spans: Callable[[str], Sequence[Span]],
        chunking: Chunking,
        max_tokens: int,
    ) -> None:
        self._parsed = parsed
        self._title = title
        self._token_spans = token_spans
        self._starts = [start for start, _ in token_spans(parsed.text)]
        self._budget = min(chunking.tokens, max_tokens) - SPECIAL_TOKENS
        self._overlap = chunking.overlap

    def pieces(self) -> list[Piece]:
        """The chunks in order; together they hold every word of the text."""
        return [
            Piece(self._parsed.text[start:end], start, end, section, self._page(start))
            for section, first, last in self._sections()
            for start, end in self._packed(first, last, self._capacity(section))
        ]

    def embedded(self, piece: Piece) -> str:
        """What is embedded of a piece: its whole text, below as much context as leaves it room."""
        if piece.asked:
            return self._first(piece.embedded(self._title), self._budget)
        title, section = self._context(piece.section)
        return replace(piece, section=section).embedded(title)

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
        context = self._context(section)
        tokens = sum(len(self._token_spans(part)) for part in context)
        usual = len(" ".join(context).split()) * 2  # a word that is cut takes more tokens
        return max(self._budget - max(tokens, usual), self._budget // 2)

    def _context(self, section: str | None) -> tuple[str, str]:
        """The title and the section, cut to half of the budget."""
        section, room = section or "", self._budget - self._budget // 2
        for_section = min(len(self._token_spans(section)), room // 2)
        title = self._first(self._title, room - for_section)
        return title, self._first(section, room - len(self._token_spans(title)))

    def _first(self, text: str, tokens: int) -> str:
        spans = self._token_spans(text)
        return text if len(spans) <= tokens else text[: spans[tokens][0]].rstrip()

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
            at = self._step_back(units, at, stop, capacity)

    def _step_back(self, units: Sequence[Span], at: int, stop: int, capacity: int) -> int:
        """Where the next chunk begins: what it shares leaves room for the unit that follows."""
        back, last, following = stop, units[stop - 1][1], units[stop][1]
        while (
            back - 1 > at
            and self._count(units[back - 1][0], last) <= self._overlap
            and self._count(units[back - 1][0], following) <= capacity
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
        while high - low > capacity:
            low = self._word(low, low + capacity)
            yield start, self._starts[low]
            start = self._starts[low]
        yield start, end

    def _word(self, low: int, at: int) -> int:
        """The last token from `low` to `at` that begins a word: half a word may be more tokens."""
        text, starts = self._parsed.text, self._starts
        return next((one for one in range(at, low, -1) if text[starts[one] - 1].isspace()), at)

    def _count(self, start: int, end: int) -> int:
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def _page(self, start: int) -> int | None:
        return bisect_right(self._parsed.pages, start) or None
