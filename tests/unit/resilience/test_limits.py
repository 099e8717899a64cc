"""So many streams at once, so many waiting; a slot is given back exactly once."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import aclosing

import pytest

from orchestrator.domain.context import ending
from orchestrator.domain.errors import Exhausted
from orchestrator.resilience.limits import Limited
from tests.unit.fakes import hurried, until
from tests.unit.resilience.scripted import ASKED, DOWN, FINISH, WELL, Scripted, said

QUEUE_S = 8.0


def limited(*scripts, parallel=1, queued=1):
    inner, refused = Scripted(*scripts), []
    model = Limited(
        inner,
        parallel=parallel,
        queued=queued,
        queue_s=QUEUE_S,
        refused=lambda: refused.append(1),
    )
    return inner, model, refused


async def started(model):
    """A stream that holds a slot."""
    pieces = model.stream(ASKED)
    await anext(pieces)
    return pieces


def test_it_is_called_as_its_model():
    inner, model, _ = limited()

    assert (model.name, model.window) == (inner.name, inner.window)


@hurried
async def test_no_more_run_at_once_and_all_come_in_the_end():
    inner, model, refused = limited((1.0, *WELL), parallel=3, queued=9)
    most = []

    async def one():
        pieces = []
        async for piece in model.stream(ASKED):
            most.append(inner.open)
            pieces.append(piece)
        return pieces[-1]

    assert await asyncio.gather(*(one() for _ in range(12))) == [FINISH] * 12
    assert max(most) == 3
    assert (model.running, model.waiting, refused) == (0, 0, [])


@hurried
async def test_they_are_served_in_order():
    _, model, _ = limited((1.0, *WELL), queued=9)
    order = []

    async def one(number):
        await said(model)
        order.append(number)

    await asyncio.gather(*(one(number) for number in range(6)))

    assert order == list(range(6))


@hurried
async def test_one_too_many_is_refused_at_once():
    inner, model, refused = limited((60.0, *WELL))
    tasks = [asyncio.create_task(said(model)) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert (model.running, model.waiting) == (1, 1)
    clock = asyncio.get_running_loop().time
    began = clock()

    (error,) = await said(model)

    assert isinstance(error, Exhausted)
    assert error.retry_after >= 1
    assert clock() - began < 0.1
    assert (inner.calls, refused) == (1, [1])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@hurried
async def test_who_has_waited_long_enough_is_refused():
    inner, model, refused = limited()
    held = await started(model)
    clock = asyncio.get_running_loop().time
    began = clock()

    (error,) = await said(model)

    assert isinstance(error, Exhausted)
    assert clock() - began == pytest.approx(QUEUE_S, abs=0.3)
    assert (model.waiting, model.running, inner.calls, refused) == (0, 1, 1, [1])
    await held.aclose()
    assert model.running == 0


@hurried
async def test_nobody_waits_for_longer_than_most_of_what_the_request_has_left():
    _, model, _ = limited()
    held = await started(model)
    clock = asyncio.get_running_loop().time
    began = clock()

    with pytest.raises(Exhausted), ending(began + 1.0):
        await anext(model.stream(ASKED))

    assert clock() - began == pytest.approx(0.9, abs=0.09)
    await held.aclose()


@hurried
async def test_when_to_come_back_follows_how_long_streams_take_of_late():
    told = []
    for seconds in (2.0, 20.0):
        _, model, _ = limited((seconds, *WELL), parallel=2, queued=0)
        for _ in range(30):
            await said(model)
        held = [await started(model) for _ in range(2)]
        (error,) = await said(model)
        told.append(error.retry_after)
        for one in held:
            await one.aclose()

    assert told == [pytest.approx(1.0, abs=0.2), pytest.approx(10.0, abs=1.0)]


@hurried
async def test_a_slot_comes_back_when_the_stream_ends_fails_or_is_closed():
    for script in (WELL, (DOWN,), ("Refunds ", DOWN), (ValueError("a defect"),)):
        _, model, _ = limited(script, queued=0)
        await said(model)
        assert model.running == 0
        assert not isinstance((await said(model))[0], Exhausted)
    _, model, _ = limited(queued=0)

    async with aclosing(await started(model)):
        assert model.running == 1

    assert model.running == 0


async def test_a_slot_comes_back_when_the_stream_is_dropped():
    inner, model, _ = limited(queued=0)
    pieces = await started(model)
    assert model.running == 1

    del pieces
    gc.collect()

    await until(lambda: model.running == 0)
    assert inner.open == 0
    assert await said(model) == list(WELL)


@hurried
async def test_a_stream_that_nobody_reads_takes_no_slot():
    _, model, _ = limited(queued=0)

    pieces = model.stream(ASKED)

    assert await said(model) == list(WELL)
    await pieces.aclose()
    assert model.running == 0


@hurried
async def test_who_is_cancelled_while_waiting_gives_up_his_place():
    inner, model, _ = limited()
    held = await started(model)
    waiting = asyncio.create_task(said(model))
    await asyncio.sleep(0.1)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (model.waiting, model.running) == (0, 1)
    await held.aclose()

    assert await said(model) == list(WELL)
    assert (inner.open, model.running) == (0, 0)


@hurried
async def test_who_is_cancelled_at_the_moment_of_his_turn_hands_it_on():
    _, model, _ = limited(queued=2)
    held = await started(model)
    first, second = (asyncio.create_task(said(model)) for _ in range(2))
    await asyncio.sleep(0.1)

    await held.aclose()  # the turn of the first
    first.cancel()

    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == list(WELL)
    assert (model.running, model.waiting) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
@hurried
async def test_whatever_happens_every_slot_comes_back(seed):
    chance = random.Random(seed)
    steps = [WELL, (DOWN,), (5.0, *WELL), ("Refunds ", 3.0, DOWN), (20.0, *WELL)]
    inner, model, _ = limited(*(chance.choice(steps) for _ in range(400)), parallel=4, queued=6)
    most = 0

    async def one():
        nonlocal most
        await asyncio.sleep(chance.uniform(0, 100))
        pieces = model.stream(ASKED)
        try:
            async for _ in pieces:
                most = max(most, model.running)
                if chance.random() < 0.2:
                    break
        except Exhausted:
            return
        finally:
            if chance.random() < 0.5:
                await pieces.aclose()

    tasks = [asyncio.create_task(one()) for _ in range(300)]
    for task in chance.sample(tasks, 100):
        asyncio.get_running_loop().call_later(chance.uniform(0, 110), task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    gc.collect()
    await asyncio.sleep(1)

    assert most == 4
    assert (model.running, model.waiting, inner.open) == (0, 0, 0)
    assert model._slots._value == 4
