"""A model that says nothing for too long is given up; a reader who is slow is not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from orchestrator.domain.context import ending
from orchestrator.domain.errors import TimedOut, Unavailable
from orchestrator.resilience.patience import Patient
from tests.unit.fakes import hurried
from tests.unit.resilience.scripted import ASKED, FINISH, WELL, Scripted, said


def patient(*script):
    inner = Scripted(script)
    return inner, Patient(inner, first_s=10.0, idle_s=2.0)


@hurried
async def test_what_comes_in_time_is_passed_on():
    _, model = patient(9.0, "Refunds ", 1.5, "are paid.", 1.5, FINISH)

    assert await said(model) == ["Refunds ", "are paid.", FINISH]


@hurried
async def test_a_first_piece_that_takes_too_long_is_a_failure():
    inner, model = patient(11.0, *WELL)

    (error,) = await said(model)

    assert isinstance(error, Unavailable)
    assert "said nothing for 10 s" in error.detail
    assert inner.open == 0


@hurried
async def test_so_is_a_further_one():
    inner, model = patient("Refunds ", 3.0, "are paid.", FINISH)

    *before, error = await said(model)

    assert before == ["Refunds "]
    assert isinstance(error, Unavailable)
    assert "said nothing for 2 s" in error.detail
    assert inner.open == 0


@hurried
async def test_who_reads_slowly_is_not_timed():
    _, model = patient(*WELL)
    pieces = []

    async for piece in model.stream(ASKED):
        await asyncio.sleep(60)
        pieces.append(piece)

    assert pieces == list(WELL)


@hurried
async def test_a_request_that_must_be_over_is_no_failure_of_the_server():
    inner, model = patient(1.0, "Refunds ", 1.5, "are ", 1.5, "paid.", FINISH)
    loop = asyncio.get_running_loop()
    pieces, over = model.stream(ASKED), loop.time() + 3.0

    async def read():
        while True:
            with ending(over):
                await anext(pieces)

    with pytest.raises(TimedOut):
        await read()

    assert inner.open == 0
    assert loop.time() == pytest.approx(over, abs=0.4)


@hurried
async def test_closing_it_closes_the_model():
    inner, model = patient(*WELL)

    async with aclosing(model.stream(ASKED)) as pieces:
        await anext(pieces)
        assert inner.open == 1

    assert inner.open == 0


@hurried
async def test_a_cancellation_stays_one():
    inner, model = patient(5.0, *WELL)
    task = asyncio.create_task(said(model))
    await asyncio.sleep(1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.open == 0


@hurried
async def test_counting_has_the_time_of_a_first_piece():
    inner, model = patient()

    assert await model.count(["two words"]) == [2]

    inner.count = lambda _: asyncio.sleep(11)
    with pytest.raises(Unavailable, match="10 s"):
        await model.count(["two words"])


def test_it_is_called_as_its_model():
    inner, model = patient()

    assert (model.name, model.window) == (inner.name, inner.window)
