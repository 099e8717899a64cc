"""Paired differences, against cases that are computed by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.results import Result, read, write
from orchestrator.evaluation.significance import EXACT, compared, difference


def test_the_difference_is_that_of_the_means_and_counts_who_is_better():
    found = difference([0.5, 0.5, 0.5, 1.0], [1.0, 0.5, 0.0, 1.0])

    assert (found.a, found.b, found.mean) == (0.625, 0.625, 0.0)
    assert (found.wins, found.ties, found.losses) == (1, 2, 1)


def test_where_less_is_better_a_smaller_value_wins():
    found = difference([10, 10, 10], [5, 10, 7], less_is_better=True)

    assert (found.wins, found.ties, found.losses) == (2, 1, 0)
    assert found.mean == pytest.approx(-8 / 3)


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 1, 1], 2 / 8),  # of eight changes of signs, +++ and --- are as far from 0
        ([1, 1, 1, 1, 1, 1], 2 / 64),
        ([2, -1], 4 / 4),  # (±2 ±1)/2: 1/2 or more, always
        ([3, 1], 2 / 4),
        ([3, 0], 4 / 4),
        ([0, 0], 1.0),
    ],
)
def test_p_of_few_questions_is_exact(differences, p):
    assert difference([0.0] * len(differences), differences).p == p


def test_p_of_many_questions_comes_near_the_exact_one():
    rng = np.random.default_rng(7)
    values = rng.normal(0.3, 1.0, EXACT)

    exact = difference(np.zeros(EXACT), values).p
    sampled = difference(np.zeros(2 * EXACT), np.concatenate([values, np.zeros(EXACT)])).p

    assert sampled == pytest.approx(exact, abs=0.02)  # questions without a difference add nothing


def test_p_is_never_zero():
    assert difference(np.zeros(200), np.ones(200)).p == pytest.approx(1 / 10_001)


def test_the_interval_is_that_of_the_normal_approximation_where_there_are_many_questions():
    values = np.random.default_rng(3).normal(0.1, 1.0, 2_000)

    found = difference(np.zeros(2_000), values)

    error = 1.96 * values.std() / np.sqrt(2_000)
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_the_interval_of_a_constant_difference_is_that_difference():
    found = difference([0.25] * 20, [0.5] * 20)

    assert (found.low, found.high) == (0.25, 0.25)
    assert found.gains


def test_the_same_seed_gives_the_same_figures():
    a, b = np.random.default_rng(1).random((2, 50))

    assert difference(a, b, seed=5) == difference(a, b, seed=5)
    assert difference(a, b, seed=5) != difference(a, b, seed=6)


def test_a_difference_that_may_be_chance_gains_nothing():
    assert not difference([0, 0, 0], [1, 1, 1]).gains  # three questions are never enough
    assert not difference([0, 1] * 20, [1, 0] * 20).gains
    assert not difference([1.0] * 20, [0.5] * 20).gains


def results(**values):
    return {q: Result({"map": value, "latency_ms": 1.0}, ["a"]) for q, value in values.items()}


def test_runs_are_compared_question_by_question_whatever_their_order():
    found = compared(results(q1=0.0, q2=1.0), results(q2=1.0, q1=0.5))

    assert list(found) == ["map", "latency_ms"]
    assert (found["map"].wins, found["map"].ties) == (1, 1)


def test_runs_of_other_questions_are_not_compared():
    with pytest.raises(Rejected, match="not of the same questions: 2 are only in one of them"):
        compared(results(q1=0.0, q2=1.0), results(q1=0.0, q3=1.0))


def test_runs_without_a_common_metric_are_not_compared():
    with pytest.raises(Rejected, match="no metric in common"):
        compared(results(q1=0.0), {"q1": Result({"other": 1.0}, [])})


def test_results_are_read_as_they_were_written(tmp_path):
    found = {"q 1": Result({"map": 0.5, "latency_ms": 1.25}, ["a", "ü"]), "2": Result({}, [])}

    write(tmp_path / "run.jsonl", found)

    assert read(tmp_path / "run.jsonl") == found


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"question": "q1"}, "line 1, lacks one of question, ranking"),
        ({"question": "q1", "ranking": [], "map": "high"}, "question 'q1': a figure is no number"),
        (None, "holds no results"),
    ],
)
def test_a_file_that_holds_no_results_is_told(tmp_path, line, sentence):
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps(line) if line else "")

    with pytest.raises(Rejected, match=sentence):
        read(path)


def test_results_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(Rejected, match="cannot be written: Is a directory"):
        write(tmp_path, {})
