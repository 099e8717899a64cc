"""Each step of a stream has its own time, though one timer serves them all."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.domain.deadlines import Deadline
from tests.unit.fakes import hurried


class Counted:
    """How often the running loop was asked for a timer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.timers = 0
        self._loop = asyncio.get_running_loop()
        self._call_at = self._loop.call_at
        monkeypatch.setattr(self._loop, "call_at", self._counted)

    def _counted(self, *args, **named):
        self.timers += 1
        return self._call_at(*args, **named)


async def step(deadline: Deadline, takes: float, within: float) -> None:
    loop = asyncio.get_running_loop()
    with deadline.by(loop.time() + within):
        await asyncio.sleep(takes)


@hurried
async def test_a_step_that_takes_too_long_is_given_up_in_time():
    loop, deadline = asyncio.get_running_loop(), Deadline()
    began = loop.time()

    with pytest.raises(TimeoutError):
        await step(deadline, takes=60, within=2)

    assert loop.time() - began == pytest.approx(2, abs=0.4)
    assert asyncio.current_task().cancelling() == 0


@hurried
async def test_many_steps_in_time_are_none_of_its_business():
    deadline = Deadline()

    for _ in range(20):
        await step(deadline, takes=1, within=2)

    with pytest.raises(TimeoutError):
        await step(deadline, takes=3, within=2)
    await step(deadline, takes=1, within=2)


@hurried
async def test_a_step_may_have_less_time_than_the_one_before():
    loop, deadline = asyncio.get_running_loop(), Deadline()
    await step(deadline, takes=1, within=100)
    began = loop.time()

    with pytest.raises(TimeoutError):
        await step(deadline, takes=50, within=2)

    assert loop.time() - began == pytest.approx(2, abs=0.4)


@hurried
async def test_what_happens_between_steps_is_not_timed():
    deadline = Deadline()

    await step(deadline, takes=1, within=2)
    await asyncio.sleep(60)

    await step(deadline, takes=1, within=2)


@hurried
async def test_each_step_may_be_of_another_task():
    deadline = Deadline()
    await asyncio.create_task(step(deadline, takes=1, within=2))

    with pytest.raises(TimeoutError):
        await asyncio.create_task(step(deadline, takes=3, within=2))


@hurried
async def test_a_cancellation_by_another_stays_one():
    deadline = Deadline()
    task = asyncio.create_task(step(deadline, takes=60, within=30))
    await asyncio.sleep(1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@hurried
async def test_a_cancellation_at_the_same_time_is_not_swallowed():
    loop, deadline = asyncio.get_running_loop(), Deadline()
    task = asyncio.create_task(step(deadline, takes=60, within=2))
    loop.call_at(loop.time() + 2, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task


@hurried
async def test_an_error_of_the_step_is_its_own():
    deadline = Deadline()

    with pytest.raises(KeyError), deadline.by(asyncio.get_running_loop().time() + 2):
        raise KeyError


def test_a_thousand_steps_need_few_timers(monkeypatch):
    @hurried
    async def run():
        deadline, counted = Deadline(), Counted(monkeypatch)
        for _ in range(1_000):
            with deadline.by(asyncio.get_running_loop().time() + 10):
                await asyncio.sleep(0)
        deadline.close()

        assert counted.timers < 10

    run()


def test_nothing_is_left_once_it_is_closed(monkeypatch):
    @hurried
    async def run():
        deadline, rung = Deadline(), []
        monkeypatch.setattr(Deadline, "_ring", lambda _: rung.append(1))
        await step(deadline, takes=0, within=5)

        deadline.close()
        await asyncio.sleep(60)

        assert rung == []

    run()
