"""What failed before its first word is tried again, within reason; what failed later is not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from orchestrator.domain.context import ending, ends_at
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, TooLarge, Unavailable
from orchestrator.resilience.attempts import Retried
from tests.unit.fakes import hurried
from tests.unit.resilience.scripted import ASKED, DOWN, FINISH, WELL, Scripted, said

SHORT, LONG = 0.4, 4.0


def retried(*scripts, attempts=3, backoff_s=SHORT, total_s=60.0):
    inner, codes = Scripted(*scripts), []
    model = Retried(
        inner,
        attempts=attempts,
        backoff_s=backoff_s,
        longest_s=LONG,
        total_s=total_s,
        retried=codes.append,
    )
    return inner, model, codes


async def timed(model):
    clock = asyncio.get_running_loop().time
    began = clock()
    return await said(model), clock() - began


@hurried
async def test_what_goes_well_is_asked_once():
    inner, model, codes = retried(WELL)

    assert await said(model) == list(WELL)
    assert (inner.calls, codes) == (1, [])


@pytest.mark.parametrize("error", [DOWN, Exhausted("too much to do")])
@hurried
async def test_what_may_pass_is_tried_again(error):
    inner, model, codes = retried([error], [error], WELL)

    assert await said(model) == list(WELL)
    assert (inner.calls, codes) == (3, [error.code] * 2)


@hurried
async def test_the_pause_doubles_and_varies():
    pauses = set()
    for _ in range(8):
        _, model, _ = retried([DOWN], [DOWN], WELL)
        _, seconds = await timed(model)
        pauses.add(round(seconds, 4))

    assert min(pauses) >= SHORT * 1.5 * 0.99
    assert max(pauses) <= SHORT * 3 * 1.1
    assert len(pauses) > 1


@hurried
async def test_no_pause_is_longer_than_the_longest():
    _, model, _ = retried([DOWN], WELL, backoff_s=100.0)

    _, seconds = await timed(model)

    assert LONG / 2 * 0.99 <= seconds <= LONG * 1.1


@hurried
async def test_the_last_error_is_raised():
    inner, model, codes = retried([DOWN], [Exhausted("too much")], [Unavailable("it", "is down")])

    (error,) = await said(model)

    assert error.detail == "it is unavailable: is down"
    assert (inner.calls, codes) == (3, ["unavailable", "exhausted"])


@pytest.mark.parametrize(
    "error", [TooLarge("no"), Misconfigured("no"), TimedOut("no"), ValueError("a defect")]
)
@hurried
async def test_what_does_not_pass_is_not_tried_again(error):
    inner, model, _ = retried([error], WELL)

    assert await said(model) == [error]
    assert inner.calls == 1


@hurried
async def test_nothing_is_tried_again_after_the_first_word():
    inner, model, codes = retried(["Refunds ", DOWN], WELL)

    assert await said(model) == ["Refunds ", DOWN]
    assert (inner.calls, codes) == (1, [])


@pytest.mark.parametrize("kind", [Exhausted, lambda _, **more: Unavailable("it", "503", **more)])
@hurried
async def test_a_server_is_given_the_pause_that_it_asks_for(kind):
    _, model, _ = retried([kind("later", retry_after=3.0)], WELL)

    _, seconds = await timed(model)

    assert seconds == pytest.approx(3.0, abs=0.2)


@hurried
async def test_who_asks_for_a_longer_pause_is_not_waited_for():
    inner, model, _ = retried([Exhausted("later", retry_after=LONG + 1)], WELL)

    found, seconds = await timed(model)

    assert isinstance(found[0], Exhausted)
    assert (inner.calls, seconds < SHORT) == (1, True)


@hurried
async def test_no_attempt_begins_after_the_time_for_all_of_them():
    inner, model, _ = retried([1.0, DOWN], attempts=10, total_s=2.0)

    _, seconds = await timed(model)

    assert inner.calls == 2
    assert seconds < 2.5


@hurried
async def test_no_attempt_begins_after_most_of_what_the_request_has_left():
    inner, model, _ = retried([0.5, DOWN], [0.5, DOWN], WELL)
    pieces = model.stream(ASKED)

    with pytest.raises(Unavailable), ending(asyncio.get_running_loop().time() + 0.7):
        await anext(pieces)

    assert inner.calls == 1


@hurried
async def test_what_it_asks_knows_when_it_must_be_over_and_nobody_else_does():
    known = []

    class Asking(Scripted):
        async def stream(self, asked):
            for _ in range(3):
                known.append(ends_at())
                yield "word"

    _, model, _ = retried(total_s=20.0)
    model._inner = Asking()
    began = asyncio.get_running_loop().time()

    async for _ in model.stream(ASKED):
        assert ends_at() == float("inf")
        await asyncio.sleep(5)

    assert known == [pytest.approx(began + 20.0, abs=0.2)] * 3


@hurried
async def test_closing_it_closes_the_attempt():
    inner, model, _ = retried(WELL)

    async with aclosing(model.stream(ASKED)) as pieces:
        await anext(pieces)
        assert inner.open == 1

    assert inner.open == 0


@hurried
async def test_a_cancellation_ends_a_pause():
    inner, model, _ = retried([DOWN], WELL, backoff_s=LONG)
    task = asyncio.create_task(said(model))
    await asyncio.sleep(0.1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (inner.calls, inner.open) == (1, 0)


@hurried
async def test_it_is_that_model():
    inner, model, _ = retried(["Refunds.", FINISH])

    assert (model.name, model.window) == (inner.name, inner.window)
    assert await model.count(["two words"]) == [2]
