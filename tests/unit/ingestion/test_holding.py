"""A switch that waits for what lags holds publications back for a moment, and not for ever."""

from __future__ import annotations

import time

import pytest

from adapters.catalog import reindexings as module
from adapters.catalog.reindexings import HOLD_S, UNHELD_S
from orchestrator.contracts.reindexings import CUT_SMALLER, MODELS, fill


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = time.time()

    def time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
async def one(catalog, clerk):
    await clerk.keep("old")
    return await catalog.reindexings.begin(clerk.uid, CUT_SMALLER, MODELS, automatic=True)


async def test_tries_while_a_document_is_stuck_do_not_hold_publications_back_for_long(
    catalog, clerk, one, clock
):
    held = []

    for _ in range(int(UNHELD_S)):
        assert await catalog.reindexings.switch(one) is None
        held.append(await catalog.reindexings.held(clerk.uid))
        clock.now += 1

    assert held == [True] * int(HOLD_S) + [False] * int(UNHELD_S - HOLD_S)


async def test_after_a_while_they_are_held_back_again(catalog, clerk, one, clock):
    await catalog.reindexings.switch(one)
    clock.now += HOLD_S + UNHELD_S + 1

    await catalog.reindexings.switch(one)

    assert await catalog.reindexings.held(clerk.uid)


async def test_they_are_not_held_back_for_more_than_catches_up_meanwhile(
    catalog, clerk, one, monkeypatch
):
    await clerk.keep("older", source_id="b")
    monkeypatch.setattr(module, "HELD_FOR", 1)

    assert await catalog.reindexings.switch(one) is None
    assert not await catalog.reindexings.held(clerk.uid)
    await fill(catalog, one, "o", "ld")
    assert await catalog.reindexings.switch(one)
