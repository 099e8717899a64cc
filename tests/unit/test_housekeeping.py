"""Housekeeping: a free lease is taken once, and what is pending is tried every few seconds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.domain.errors import Unavailable
from orchestrator.housekeeping import EVERY_S, FORGET_S, Housekeeping
from tests.unit.fakes import hurried


class House:
    """Purger, library and lease in one; `free` says whether the lease can be had."""

    def __init__(self, *, held=False, free=False):
        self.held = held
        self.free = free
        self.done = []
        self.down = None
        self.forgotten = []
        self.keeping = Housekeeping(self, self, self, self, retention=timedelta(days=30))

    def acquire(self):
        self.held = self.free
        return self.held

    async def reopen(self):
        self.done.append("reopen")

    async def forget(self, before):
        self.forgotten.append(before)
        return 0

    async def pending(self):
        self.done.append("purge")
        if self.down:
            raise self.down


@pytest.mark.parametrize(
    ("house", "done"),
    [
        (House(free=False), ["purge"]),
        (House(free=True), ["reopen", "purge"]),
    ],
    ids=["taken by another", "free"],
)
async def test_a_lease_that_becomes_free_is_taken_and_the_indexes_are_opened_anew(house, done):
    await house.keeping.round()

    assert house.done == done


async def test_what_could_not_be_opened_anew_is_tried_in_every_round():
    house = House(free=True)

    await house.keeping.round()
    await house.keeping.round()

    assert house.done == ["reopen", "purge"] * 2


@pytest.mark.parametrize("down", [Unavailable("redis", "refused"), OSError(28, "no space left")])
@hurried
async def test_a_round_comes_every_few_seconds_whatever_is_down(down):
    house = House(free=False)
    house.down = down
    running = asyncio.create_task(house.keeping.run())

    await asyncio.sleep(EVERY_S * 2.5)

    assert house.done == ["purge"] * 3
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_conversations_that_are_too_old_are_forgotten_once_an_hour():
    house = House(free=False)
    wanted = datetime.now(UTC) - timedelta(days=30)

    await house.keeping.round()
    await house.keeping.round()
    (before,) = house.forgotten
    house.keeping._forgot_at -= FORGET_S + 1
    await house.keeping.round()

    assert timedelta() <= before - wanted < timedelta(minutes=5)
    assert len(house.forgotten) == 2
