"""Tables whose cells span others: every row is whole, as what spans it is said again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

MAX_COLUMNS: Final = 100
MAX_ROWS: Final = 1000
MAX_REPEATED: Final = 200
"""A longer text is said once, however much it spans."""


class Cell(NamedTuple):
    """A cell's text and how much it spans; `merged` with the one above, it has none of its own."""

    text: str
    columns: int = 1
    rows: int = 1
    merged: bool = False


def spread(rows: Iterable[Sequence[Cell]]) -> Iterator[list[str]]:
    """The texts of each row."""
    hanging: dict[int, tuple[str, int]] = {}
    above: list[str] = []
    for row in rows:
        texts: list[str] = []
        below: dict[int, tuple[str, int]] = {}
        for cell in row:
            _fill(texts, hanging, below)
            text = _again(above, len(texts)) if cell.merged else cell.text
            again = text if len(text) <= MAX_REPEATED else ""
            for at in range(min(cell.columns, MAX_COLUMNS)):
                if cell.rows > 1:
                    below[len(texts)] = (again, min(cell.rows, MAX_ROWS) - 1)
                texts.append(again if at else text)
        _fill(texts, hanging, below)
        hanging, above = below, texts
        yield texts


def _fill(
    texts: list[str], hanging: dict[int, tuple[str, int]], below: dict[int, tuple[str, int]]
) -> None:
    """The cells of rows above that reach down to the next column."""
    while found := hanging.get(len(texts)):
        text, left = found
        if left > 1:
            below[len(texts)] = (text, left - 1)
        texts.append(text)


def _again(above: Sequence[str], column: int) -> str:
    text = above[column] if column < len(above) else ""
    return text if len(text) <= MAX_REPEATED else ""


def span(written: str | None) -> int:
    """How much a cell spans, as a file writes it; 1 where it does not."""
    return max(1, int(written[:6])) if written and written.isdecimal() else 1
