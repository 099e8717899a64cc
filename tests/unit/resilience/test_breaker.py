"""A server that fails again and again is left alone, tried now and then, and taken back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from orchestrator.domain.errors import Exhausted, TimedOut, TooLarge, Unavailable
from orchestrator.resilience.breaker import RECENT, Breaker, Guarded, Tolerance
from tests.unit.resilience.scripted import ASKED, DOWN, FINISH, WELL, Scripted, said

TOLERANCE = Tolerance(failures=3, share=0.5, window_s=30.0, open_s=5.0, longest_s=15.0)


class Bench:
    """A guarded model, and the clock of its breaker."""

    def __init__(self, tolerance=TOLERANCE):
        self.now = 1000.0
        self.openings = 0
        self.inner = Scripted()
        self.breaker = Breaker("primary", tolerance, opened=self._opened, clock=lambda: self.now)
        self.model = Guarded(self.inner, self.breaker)

    def _opened(self):
        self.openings += 1

    @property
    def state(self):
        return self.breaker.state

    async def does(self, *script, times=1):
        """Say the script so many times; the last of what came."""
        self.inner.scripts = (script,)
        for _ in range(times):
            *_, last = await said(self.model)
        return last

    async def opens(self):
        await self.does(DOWN, times=TOLERANCE.failures)
        assert self.state == "open"


@pytest.fixture
def bench():
    return Bench()


async def test_what_goes_well_is_passed_on(bench):
    assert await said(bench.model) == list(WELL)
    assert bench.state == "closed"
    await bench.breaker.ping()


async def test_it_opens_after_so_many_failures(bench):
    await bench.does(DOWN, times=2)
    assert bench.state == "closed"

    await bench.does(DOWN)

    assert (bench.state, bench.openings) == ("open", 1)


async def test_while_it_is_open_nobody_is_asked_and_the_time_that_is_left_is_told(bench):
    await bench.opens()
    calls, bench.now = bench.inner.calls, bench.now + 2.0

    refused = await bench.does(*WELL)

    assert isinstance(refused, Unavailable)
    assert (refused.dependency, refused.told) == ("primary", True)
    assert refused.retry_after == pytest.approx(3.0)
    assert bench.inner.calls == calls
    with pytest.raises(Unavailable, match="primary is unavailable"):
        await bench.breaker.ping()


async def test_failures_after_the_first_word_count_too(bench):
    await bench.does("Refunds ", DOWN, times=3)

    assert bench.state == "open"


@pytest.mark.parametrize("error", [Exhausted("no"), TooLarge("no"), TimedOut("no"), ValueError()])
async def test_what_is_no_failure_of_the_server_does_not_count(bench, error):
    await bench.does(error, times=50)

    assert bench.state == "closed"


async def test_failures_of_long_ago_do_not_count(bench):
    await bench.does(DOWN, times=2)
    bench.now += TOLERANCE.window_s + 1

    await bench.does(DOWN, times=2)

    assert bench.state == "closed"


async def test_few_failures_among_many_successes_do_not_open_it(bench):
    for _ in range(20):
        await bench.does(*WELL, times=3)
        await bench.does(DOWN)

    assert bench.state == "closed"


async def test_a_server_that_served_many_and_died_is_found_out_soon(bench):
    await bench.does(*WELL, times=500)

    await bench.does(DOWN, times=RECENT // 2)

    assert bench.state == "open"


async def test_the_first_call_after_its_time_closes_it(bench):
    await bench.opens()
    bench.now += 5.0
    assert bench.state == "half_open"

    assert await bench.does(*WELL) == FINISH

    assert bench.state == "closed"
    await bench.breaker.ping()
    await bench.does(DOWN, times=2)
    assert bench.state == "closed"  # failures of before are forgotten


async def test_it_closes_when_the_answer_is_whole_even_if_nobody_asks_for_more(bench):
    await bench.opens()
    bench.now += 5.0
    bench.inner.scripts = (WELL,)

    async with aclosing(bench.model.stream(ASKED)) as pieces:
        async for piece in pieces:
            if piece == FINISH:
                break

    assert bench.state == "closed"


async def test_one_trial_runs_at_a_time(bench):
    await bench.opens()
    bench.now += 5.0
    bench.inner.scripts = (WELL,)
    trial = bench.model.stream(ASKED)
    await anext(trial)
    calls = bench.inner.calls

    (refused,) = await said(bench.model)

    assert isinstance(refused, Unavailable)
    assert bench.inner.calls == calls
    assert [piece async for piece in trial][-1] == FINISH
    assert bench.state == "closed"


async def test_each_trial_that_fails_makes_the_time_longer_up_to_a_limit(bench):
    await bench.opens()
    waited = []
    for _ in range(4):
        while bench.state == "open":
            bench.now += 1.0
            waited.append(bench.now)
        await bench.does(DOWN)
        waited.append(None)

    lengths = "".join("." if one else "|" for one in waited).split("|")[:-1]
    assert [len(one) for one in lengths] == [5, 10, 15, 15]
    assert bench.openings == 5


async def test_after_a_success_the_time_is_short_again(bench):
    await bench.opens()
    bench.now += 5.0
    await bench.does(DOWN)
    bench.now += 10.0
    await bench.does(*WELL)

    await bench.opens()
    bench.now += 5.0

    assert bench.state == "half_open"


@pytest.mark.parametrize("error", [Exhausted("no"), TimedOut("no")])
async def test_a_trial_that_decides_nothing_is_followed_by_another(bench, error):
    await bench.opens()
    bench.now += 5.0

    await bench.does(error)
    assert bench.state == "half_open"
    await bench.does(*WELL)

    assert bench.state == "closed"


async def test_a_trial_that_is_left_is_followed_by_another(bench):
    await bench.opens()
    bench.now += 5.0
    bench.inner.scripts = (WELL,)
    async with aclosing(bench.model.stream(ASKED)) as pieces:
        await anext(pieces)

    assert await bench.does(*WELL) == FINISH
    assert bench.state == "closed"


async def test_a_trial_that_takes_for_ever_does_not_keep_others_out(bench):
    await bench.opens()
    bench.now += 5.0
    bench.inner.scripts = (WELL,)
    trial = bench.model.stream(ASKED)
    await anext(trial)
    bench.now += TOLERANCE.longest_s

    assert await bench.does(*WELL) == FINISH
    assert bench.state == "closed"
    await trial.aclose()
    assert bench.state == "closed"


async def test_failures_of_calls_that_began_before_it_opened_change_nothing(bench):
    bench.inner.scripts = (("Refunds ", DOWN),)
    early = [bench.model.stream(ASKED) for _ in range(9)]
    for one in early:
        await anext(one)
    await bench.opens()

    for one in early:
        with pytest.raises(Unavailable, match="connection refused"):
            await anext(one)

    assert bench.openings == 1
    bench.now += 5.0
    assert bench.state == "half_open"


async def test_a_cancelled_call_counts_for_nothing(bench):
    for _ in range(10):
        bench.inner.scripts = ((60.0, *WELL),)
        task = asyncio.create_task(said(bench.model))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert (bench.state, bench.inner.open) == ("closed", 0)


async def test_counting_is_refused_while_it_is_open_and_no_trial(bench):
    assert await bench.model.count(["two words"]) == [2]
    await bench.opens()
    with pytest.raises(Unavailable):
        await bench.model.count(["two words"])
    bench.now += 5.0

    assert await bench.model.count(["two words"]) == [2]

    assert bench.state == "half_open"


def test_it_is_called_as_its_model(bench):
    assert (bench.model.name, bench.model.window) == (bench.inner.name, bench.inner.window)
