"""Packing the parts of a text into spans that hold as much as fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from orchestrator.domain.text import Span
from orchestrator.ingestion.chunking.source import Source

Parting = Callable[[str, int, int], Sequence[Span]]
"""A way to part a span of a text, such as into its paragraphs."""


def parts(
    source: Source, first: int, last: int, capacity: int, ways: Sequence[Parting]
) -> Iterator[Span]:
    """The largest parts that fit: by the first of the ways, else by the next, else by tokens."""
    if not ways:
        yield from source.slices(first, last, capacity)
        return
    for start, end in ways[0](source.text, first, last):
        if source.count(start, end) <= capacity:
            yield start, end
        else:
            yield from parts(source, start, end, capacity, ways[1:])


def packed(source: Source, units: Iterable[Span], capacity: int) -> Iterator[Span]:
    """Neighbours together while they fit; two spans share whole units, up to the overlap."""
    units, at = list(units), 0
    while at < len(units):
        start, stop = units[at][0], at
        while stop < len(units) and source.count(start, units[stop][1]) <= capacity:
            stop += 1
        stop = max(stop, at + 1)
        yield start, units[stop - 1][1]
        if stop == len(units):
            return
        at = _step_back(source, units, at, stop, capacity)


def _step_back(source: Source, units: Sequence[Span], at: int, stop: int, capacity: int) -> int:
    """Where the next span begins: what it shares leaves room for the unit that follows."""
    back, last, following = stop, units[stop - 1][1], units[stop][1]
    while (
        back - 1 > at
        and source.count(units[back - 1][0], last) <= source.overlap
        and source.count(units[back - 1][0], following) <= capacity
    ):
        back -= 1
    return back
