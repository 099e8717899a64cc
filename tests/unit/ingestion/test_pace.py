"""The estimate of how long documents wait."""

from __future__ import annotations

import pytest

from orchestrator.ingestion.pace import FIRST_S, REMEMBERED, Pace


def test_before_any_work_a_document_is_taken_to_need_a_second():
    assert Pace().estimate(3) == 3 * FIRST_S


def test_the_first_work_makes_the_rate():
    pace = Pace()

    pace.worked(4, 2.0)

    assert pace.estimate(10) == pytest.approx(5.0)


def test_recent_work_counts_for_more_than_what_was_long_ago():
    pace = Pace()
    pace.worked(1, 10.0)
    for _ in range(REMEMBERED * 4):
        pace.worked(1, 0.5)

    assert 0.5 < pace.estimate(1) < 1.0


def test_a_single_slow_document_does_not_make_the_rate():
    pace = Pace()
    pace.worked(REMEMBERED, REMEMBERED * 0.1)

    pace.worked(1, 60.0)

    assert 0.1 < pace.estimate(1) < 2.0


def test_without_documents_nothing_is_learnt():
    pace = Pace()

    pace.worked(0, 5.0)

    assert pace.estimate(1) == FIRST_S


def test_what_does_not_wait_needs_no_time():
    assert Pace().estimate(0) == 0.0
