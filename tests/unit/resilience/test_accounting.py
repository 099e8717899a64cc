"""What an answer costs is told with it, and counted."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

import pytest

from orchestrator.domain.answers import Usage
from orchestrator.resilience.accounting import Accounted, Prices
from tests.unit.resilience.scripted import ASKED, DOWN, FINISH, USAGE, WELL, Scripted, said


def accounted(*script, prices=None):
    inner, used = Scripted(script), []
    return inner, Accounted(inner, prices, lambda *told: used.append(told)), used


async def test_the_cost_is_that_of_the_prices_for_a_million_tokens():
    _, model, used = accounted(*WELL, prices=Prices(prompt=2.5, completion=10.0))

    *text, last = await said(model)

    assert text == list(WELL[:-1])
    assert last.usage == Usage(2_000, 500, "scripted", pytest.approx(0.01))
    assert used == [(last.usage, "answer")]


async def test_without_prices_there_is_no_cost():
    _, model, used = accounted(*WELL)

    assert (await said(model))[-1] == replace(FINISH, usage=replace(USAGE, model="scripted"))
    ((usage, _),) = used
    assert usage.cost is None


async def test_a_model_that_is_free_costs_nothing():
    _, model, used = accounted(*WELL, prices=Prices(0.0, 0.0))

    await said(model)

    ((usage, _),) = used
    assert usage.cost == 0.0


@pytest.mark.parametrize("purpose", ["answer", "rewrite", "verify"])
async def test_it_is_told_what_the_tokens_were_for(purpose):
    _, model, used = accounted(*WELL)

    async with aclosing(model.stream(replace(ASKED, purpose=purpose))) as pieces:
        assert [piece async for piece in pieces]

    assert [one for _, one in used] == [purpose]


async def test_of_a_stream_that_was_cut_or_left_nothing_is_known():
    inner, model, used = accounted("Refunds ", DOWN)
    await said(model)
    async with aclosing(model.stream(ASKED)) as pieces:
        await anext(pieces)

    assert used == []
    assert inner.open == 0


async def test_it_is_that_model():
    inner, model, _ = accounted()

    assert (model.name, model.window) == (inner.name, inner.window)
    assert await model.count(["two words"]) == [2]
