"""A parsed document as every strategy sees it: its text counted in tokens."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.documents import ParsedDocument, Piece
from orchestrator.domain.text import Span
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion.chunking.sections import paths

SPECIAL_TOKENS = 2
"""What a model adds to every text, at its beginning and end."""
TOKENISED = 100_000
"""Characters that are tokenised together: a tokeniser takes a hundred times their room."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece, and what is embedded of it: its whole text below what gives it context."""

    piece: Piece
    embedded: str


class Strategy(Protocol):
    """One way to cut a document."""

    def __call__(self, source: Source) -> Iterable[Cut]:
        """The chunks in order; together they hold every word of the text."""
        ...


class Source:
    """A document to cut; it is tokenised once, and counted by binary search from then on.

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
        self.parsed = parsed
        self.text = parsed.text
        self.title = title
        self.overlap = chunking.overlap
        self._token_spans = token_spans
        self._starts = _starts(parsed.text, token_spans)
        self._headings = [heading.start for heading in parsed.headings]
        self._paths = paths(parsed.headings, title)
        self._budget = min(chunking.tokens, max_tokens) - SPECIAL_TOKENS

    def cut(self, span: Span, section: str | None, context: Sequence[str]) -> Cut:
        """The piece of that span, embedded below the lines of its context."""
        start, end = span
        piece = Piece(self.text[start:end], start, end, section, self.page(start))
        return Cut(piece, "\n".join(line for line in (*context, piece.text) if line))

    def answer(self, span: Span, question: str) -> Cut:
        """The piece of that span, found by the question that it answers."""
        start, end = span
        piece = Piece(self.text[start:end], start, end, question, self.page(start), asked=True)
        return Cut(piece, self.first(piece.embedded(self.title), self._budget))

    def context(self, section: str | None = None) -> tuple[str, str]:
        """The title and the section, cut to half of the budget."""
        section, room = section or "", self._budget - self._budget // 2
        title = self.first(self.title, room - min(self.tokens(section), room // 2))
        return title, self.first(section, room - self.tokens(title))

    def capacity(self, context: Sequence[str]) -> int:
        """How many tokens of text there is room for below the title and section."""
        tokens = sum(self.tokens(line) for line in context)
        usual = len(" ".join(context).split()) * 2  # a word that is cut takes more tokens
        return max(self._budget - max(tokens, usual), self._budget // 2)

    def first(self, text: str, tokens: int) -> str:
        """As much of the text's beginning as so many tokens hold."""
        spans = self._token_spans(text)
        return text if len(spans) <= tokens else text[: spans[tokens][0]].rstrip()

    def tokens(self, text: str) -> int:
        """How many tokens a text has that is not of the document."""
        return len(self._token_spans(text))

    def count(self, start: int, end: int) -> int:
        """How many tokens begin within the span."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def slices(self, start: int, end: int, capacity: int) -> Iterator[Span]:
        """The span cut between tokens, and between words where it has any."""
        low, high = bisect_left(self._starts, start), bisect_left(self._starts, end)
        while high - low > capacity:
            low = self._word(low, low + capacity)
            yield start, self._starts[low]
            start = self._starts[low]
        yield start, end

    def page(self, start: int) -> int | None:
        """The page that a place is on, from 1."""
        return bisect_right(self.parsed.pages, start) or None

    def section(self, start: int) -> str | None:
        """The path of headings that a place is below."""
        above = bisect_right(self._headings, start)
        return self._paths[above - 1] if above else None

    def _word(self, low: int, at: int) -> int:
        """The last token from `low` to `at` that begins a word: half a word may be more tokens."""
        text, starts = self.text, self._starts
        return next((one for one in range(at, low, -1) if text[starts[one] - 1].isspace()), at)


def _starts(text: str, token_spans: Callable[[str], Sequence[Span]]) -> array[int]:
    """Where the tokens of a text begin, however long it is."""
    starts, at = array("q"), 0
    while at < len(text):
        end = _space(text, at, at + TOKENISED)
        starts.extend(at + start for start, _ in token_spans(text[at:end]))
        at = end
    return starts


def _space(text: str, start: int, end: int) -> int:
    """The end of the text, or of its last word before `end`; `end` where there is no space."""
    if end >= len(text):
        return len(text)
    found = max(text.rfind(space, start + 1, end) for space in " \n")
    return found if found > 0 else end
