"""What a request carries along: its trace id, and the times of its stages."""

from __future__ import annotations

import asyncio
import math
import re
from contextvars import copy_context

from orchestrator.domain.context import (
    begin_timings,
    begin_trace,
    current_trace,
    ending,
    ends_at,
    took,
    trace_id,
)


def apart(act):
    """Run with this test's own copy of the context."""
    return copy_context().run(act)


def test_outside_of_a_request_there_is_no_trace():
    assert apart(current_trace) == ""


def test_a_trace_id_is_made_when_it_is_first_asked_for_and_stays():
    first, second, current = apart(lambda: (trace_id(), trace_id(), current_trace()))

    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first == second == current


def test_a_request_begins_under_the_trace_given_or_a_new_one():
    given, new = apart(lambda: (begin_trace("a" * 32), begin_trace()))

    assert given == "a" * 32
    assert re.fullmatch(r"[0-9a-f]{32}", new)


async def test_requests_at_the_same_time_have_traces_of_their_own():
    async def request(trace: str) -> str:
        begin_trace(trace)
        await asyncio.sleep(0)
        return trace_id()

    traces = [f"{number:032x}" for number in range(1, 6)]

    assert await asyncio.gather(*(asyncio.create_task(request(one)) for one in traces)) == traces


def test_the_times_of_a_stage_add_up_in_milliseconds():
    def act():
        timings = begin_timings()
        took("retrieve", 0.001)
        took("retrieve", 0.0025)
        took("generate", 1)
        return timings

    assert apart(act) == {"retrieve": 3.5, "generate": 1000.0}


def test_where_nothing_is_timed_a_time_is_not_kept():
    def act():
        took("retrieve", 1)
        return begin_timings()

    assert apart(act) == {}


def test_a_request_may_last_unless_it_is_said_when_it_must_be_over():
    assert apart(ends_at) == math.inf


def test_the_sooner_end_holds_and_only_within_its_block():
    def act():
        known = []
        with ending(20.0):
            with ending(10.0):
                known.append(ends_at())
            with ending(30.0):
                known.append(ends_at())
        return [*known, ends_at()]

    assert apart(act) == [10.0, 20.0, math.inf]
