"""An answer's events as pieces of text: what comes at once is told at once."""

from __future__ import annotations

from adapters.generator.hearing import pieces
from adapters.generator.waiting import Patience, Waiting
from orchestrator.domain.errors import Unavailable

PATIENCE = Patience(connect_s=1, first_token_s=10, idle_s=10)


async def received(*parts):
    for part in parts:
        yield part


def heard(event):
    if event == b"error":
        raise Unavailable("the server", "it broke")
    return None if event == b"end" else event.decode()


def events(*data):
    return b"".join(b"data: %b\n\n" % one for one in data)


async def told(*parts):
    found = []
    with Waiting("the server", PATIENCE) as waiting:
        try:
            async for one in pieces(received(*parts), waiting, heard):
                found.append(one)  # noqa: PERF401  # what came before an error counts
        except Unavailable as error:
            found.append(error)
    return found


async def test_what_comes_apart_is_told_apart():
    assert await told(events(b"Paid"), events(b"late"), events(b"end")) == ["Paid", "late"]


async def test_what_comes_at_once_is_one_piece():
    assert await told(events(b"Paid", b"late", b"end")) == ["Paidlate"]


async def test_what_comes_after_the_end_says_nothing():
    assert await told(events(b"Paid", b"end", b"late"), events(b"later")) == ["Paid"]


async def test_what_came_before_an_error_is_told():
    first, error = await told(events(b"Paid", b"late", b"error"))

    assert first == "Paidlate"
    assert isinstance(error, Unavailable)


async def test_what_says_nothing_is_no_piece():
    assert await told(b": still here\n\n", events(b"Paid"), events(b"end")) == ["Paid"]
