"""Metrics against cases that are computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evaluation.metrics import Measuring, latencies, means, percentile

GRADED = {"a": 3, "b": 2, "c": 1, "no": 0}


def figures(ranking, judged):
    return Measuring({"q": judged}).of_each({"q": ranking})["q"]


def test_ndcg_of_graded_judgements():
    # gains 2, 3, 0, 1 at places 1 to 4; the ideal is 3, 2, 1:
    # DCG  = 2/log2(2) + 3/log2(3) + 0/log2(4) + 1/log2(5) = 2 + 1.89279 + 0 + 0.43068 = 4.32347
    # IDCG = 3/log2(2) + 2/log2(3) + 1/log2(4)             = 3 + 1.26186 + 0.5         = 4.76186
    found = figures(["b", "a", "x", "c"], GRADED)

    assert found["ndcg@10"] == pytest.approx(4.32347 / 4.76186, abs=1e-5)


def test_ndcg_of_one_relevant_document_at_the_third_place():
    # 1/log2(4) over 1/log2(2)
    assert figures(["x", "y", "a"], {"a": 1})["ndcg@10"] == 0.5


def test_ndcg_looks_no_further_than_ten():
    assert figures([*"0123456789", "a"], {"a": 1})["ndcg@10"] == 0.0


def test_ndcg_is_perfect_when_ten_places_are_filled_with_the_best():
    # twelve relevant documents, but only ten places: the ideal is cut there, too
    judged = dict.fromkeys("abcdefghij", 2) | {"k": 1, "l": 1}

    assert figures(list("abcdefghij"), judged)["ndcg@10"] == pytest.approx(1.0)


def test_a_negative_grade_gains_and_costs_nothing():
    found = figures(["bad", "a"], {"a": 1, "bad": -1})

    assert found["ndcg@10"] == pytest.approx(1 / math.log2(3))


def test_recall_is_the_share_of_relevant_documents_among_the_first():
    # of a, b and c, the first ten places hold a and c
    found = figures(["a", "no", "c", *"0123456", "b"], GRADED)

    assert (found["recall@10"], found["recall@100"]) == (pytest.approx(2 / 3), 1.0)


def test_a_document_that_is_judged_irrelevant_does_not_count_for_recall():
    assert figures(["no"], GRADED)["recall@10"] == 0.0


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (["a"], 1.0),
        (["x", "no", "c"], 1 / 3),
        ([*"0123456789", "c"], 0.0),
        (["x", "b", "a"], 1 / 2),
        ([], 0.0),
    ],
)
def test_the_reciprocal_rank_is_that_of_the_first_relevant_document(ranking, expected):
    assert figures(ranking, GRADED)["mrr@10"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        # precision where a relevant document stands: 1/1 and 2/3, over three relevant ones
        (["a", "x", "b"], (1 + 2 / 3) / 3),
        (["x", "a", "b", "c"], (1 / 2 + 2 / 3 + 3 / 4) / 3),
        (["a", "b", "c"], 1.0),
        (["no", "x"], 0.0),
    ],
)
def test_average_precision(ranking, expected):
    assert figures(ranking, GRADED)["map"] == pytest.approx(expected)


def test_without_a_relevant_document_a_metric_is_zero():
    assert set(figures(["a"], {"a": 0}).values()) == {0.0}


def test_means_are_over_every_judged_question():
    judgements = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}, "q4": {"a": 1}}
    rankings = {"q1": ["a"], "q2": ["x", "y", "a"], "q3": [*"0123456789", "a"]}  # q4: no ranking

    found = means(Measuring(judgements).of_each(rankings).values())

    # nDCG: 1, 1/log2(4), 0, 0; recall@10: 1, 1, 0, 0; recall@100: 1, 1, 1, 0; RR: 1, 1/3, 0, 0;
    # average precision: 1, 1/3, 1/11, 0
    assert found == {
        "ndcg@10": pytest.approx(1.5 / 4),
        "recall@10": pytest.approx(2 / 4),
        "recall@100": pytest.approx(3 / 4),
        "mrr@10": pytest.approx((1 + 1 / 3) / 4),
        "map": pytest.approx((1 + 1 / 3 + 1 / 11) / 4),
    }


def test_a_ranking_that_nobody_judged_does_not_count():
    found = Measuring({"q1": {"a": 1}}).of_each({"q1": ["a"], "q9": ["x"]})

    assert found.keys() == {"q1"}


def test_only_the_metrics_wanted_are_computed():
    assert Measuring({"q": {"a": 1}}, ["map"]).of_each({"q": ["a"]}) == {"q": {"map": 1.0}}


def test_without_questions_there_are_no_means():
    assert means([]) == {}


def test_latencies_are_percentiles():
    assert latencies([float(one) for one in range(1, 101)]) == {
        "p50_ms": 50.0,
        "p95_ms": 95.0,
        "p99_ms": 99.0,
    }


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.1, 1), (0.5, 5), (0.51, 6), (0.95, 10), (1.0, 10)]
)
def test_a_percentile_is_the_nearest_rank(share, expected):
    # of ten values, half of them do not exceed the fifth
    assert percentile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], share) == expected


def test_a_percentile_of_one_value_is_that_value():
    assert percentile([7.5], 0.95) == 7.5


rankings = st.lists(st.sampled_from("abcdefgh"), unique=True)
judged = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3))


@given(rankings, judged)
def test_metrics_lie_between_zero_and_one(ranking, judged):
    assert all(0.0 <= value <= 1.0 for value in figures(ranking, judged).values())


@given(judged)
def test_the_ideal_ranking_is_perfect(judged):
    ideal = sorted(judged, key=lambda one: -judged[one])
    relevant = [one for one in judged if judged[one] > 0]

    perfect = 1.0 if relevant else 0.0
    assert list(figures(ideal, judged).values()) == pytest.approx([perfect] * 5)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_not_exceeded_by_so_many(values, share):
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
