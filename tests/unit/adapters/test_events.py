"""Server-sent events, however they are cut on their way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapters.generator.events import LONGEST, Events

STREAM = (
    b": hello\n\nevent: x\ndata: one\n\ndata:two\r\n\r\n\n\ndata: a\ndata: b\nid: 7\n\ndata: cut"
)


@given(some.lists(some.integers(0, len(STREAM)), max_size=12))
def test_events_are_the_same_however_they_are_cut(places):
    ends = [0, *sorted(places), len(STREAM)]
    events = Events()

    found = [one for start, end in pairwise(ends) for one in events.feed(STREAM[start:end])]

    assert found == [b"one", b"two", b"a\nb"]


@pytest.mark.parametrize("piece", [b"x" * 70_000, b"data: " + b"x" * 70_000 + b"\n"])
def test_an_event_that_does_not_end_is_refused(piece):
    events = Events()
    for _ in range(LONGEST // len(piece)):
        events.feed(piece)

    with pytest.raises(ValueError, match="does not end"):
        events.feed(piece * 2)
