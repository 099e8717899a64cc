"""The outcome of a search, and the report of many."""

import pytest

from orchestrator.domain.analytics import (
    LEAST_MS,
    STEP,
    Percentiles,
    outcome_of,
    report_of,
    spent,
    step_of,
)
from orchestrator.domain.answers import Usage
from orchestrator.domain.passages import Passage, StageScore
from tests.builders import chunk

DENSE = "dense"


def found(**sides):
    stages = {name: StageScore(*side) for name, side in sides.items()}
    return [Passage(chunk(), 0.9, stages), Passage(chunk(), 0.8, {DENSE: StageScore(0.0, 9)})]


FIRST, SECOND = (3.0, 1), (3.0, 2)
NEAR, FAR = (0.5, 1), (0.1, 1)


@pytest.mark.parametrize(
    ("passages", "fused", "outcome"),
    [
        ([], True, "none"),
        (found(dense=NEAR, keyword=SECOND), True, "found"),
        (found(dense=NEAR), True, "found"),
        (found(dense=FAR, keyword=FIRST), True, "found"),
        (found(dense=FAR, keyword=SECOND), True, "weak"),
        (found(dense=(0.1, 2), keyword=FIRST), True, "weak"),
        (found(dense=FAR), True, "weak"),
        (found(keyword=FIRST), True, "weak"),
        (found(dense=FAR), False, "weak"),
        (found(dense=NEAR), False, "found"),
        (found(keyword=FIRST), False, "found"),
        (found(mock=FAR), False, "found"),
    ],
    ids=[
        "no hit",
        "near, and found by words",
        "near",
        "far, but both sides put it first",
        "far, and not the first of words",
        "far, and not the first of meaning",
        "far, and not found by words",
        "not found by meaning",
        "only meaning was asked, far",
        "only meaning was asked, near",
        "only words were asked",
        "the mock retriever",
    ],
)
def test_a_search_is_weak_where_its_first_hit_is_far(passages, fused, outcome):
    assert outcome_of(passages, fused=fused, weak_cosine=0.3) == outcome


@pytest.mark.parametrize("milliseconds", [0.0, 0.05, 0.1, 0.11, 3.7, 250.0, 30_000.0])
def test_a_step_holds_its_latency(milliseconds):
    step = step_of(milliseconds)

    assert LEAST_MS * STEP**step >= milliseconds * 0.999999
    assert step == 0 or LEAST_MS * STEP ** (step - 1) < milliseconds * 1.000001


def test_percentiles_are_those_of_the_latencies_within_12_percent():
    latencies = [1.0] * 50 + [10.0] * 44 + [100.0] * 6
    counts = [("stage", f"retrieve:{step_of(ms)}", 1) for ms in latencies]

    stage = report_of(counts, most=5).stages["retrieve"]

    assert stage == Percentiles(pytest.approx(1, rel=0.12), pytest.approx(100, rel=0.12), 100)


def test_a_report_adds_up_and_shows_the_most_frequent_texts():
    counts = [
        ("outcome", "found", 6),
        ("outcome", "none", 2),
        ("note", "degraded", 2),
        ("note", "corrected", 1),
        ("none", "seldom", 1),
        ("none", "often", 5),
        ("none", "twice", 2),
        ("misread", "refnud", 1),
    ]

    report = report_of(counts, most=2)

    assert report.searches == 8
    assert report.outcomes == {"found": 6, "weak": 0, "none": 2}
    assert (report.degraded, report.cached, report.corrected) == (0.25, 0.0, 0.125)
    assert report.none == [("often", 5), ("twice", 2)]
    assert report.corrections == [("refnud", 1)]


def test_tokens_and_costs_add_up_by_model():
    answers = [
        Usage(100, 20, "small", 0.00012),
        Usage(50, 10, "small", 0.00006),
        Usage(7, 3, "own"),
    ]
    counts = [("usage", *one) for usage in answers for one in spent(usage).items()]

    report = report_of(counts, most=5)

    assert report.usage == [Usage(7, 3, "own"), Usage(150, 30, "small", 0.00018)]


def test_what_no_language_model_wrote_is_no_usage():
    assert spent(Usage(completion_tokens=12)) == {}


def test_a_report_of_nothing_is_empty():
    report = report_of([], most=5)

    assert (report.searches, report.degraded, report.stages) == (0, 0.0, {})
    assert report.usage == []
