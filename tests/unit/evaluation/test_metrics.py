"""Metrics against cases that are computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evaluation.metrics import (
    ndcg,
    percentile,
    recall,
    reciprocal_rank,
    summary,
)

GRADED = {"a": 3, "b": 2, "c": 1, "no": 0}


def test_ndcg_of_graded_judgements():
    # gains 2, 3, 0, 1 at places 1 to 4; the ideal is 3, 2, 1:
    # DCG  = 2/log2(2) + 3/log2(3) + 0/log2(4) + 1/log2(5) = 2 + 1.89279 + 0 + 0.43068 = 4.32347
    # IDCG = 3/log2(2) + 2/log2(3) + 1/log2(4)             = 3 + 1.26186 + 0.5         = 4.76186
    assert ndcg(["b", "a", "x", "c"], GRADED, 10) == pytest.approx(4.32347 / 4.76186, abs=1e-5)


def test_ndcg_of_one_relevant_document_at_the_third_place():
    # 1/log2(4) over 1/log2(2)
    assert ndcg(["x", "y", "a"], {"a": 1}, 10) == 0.5


def test_ndcg_looks_no_further_than_k():
    assert ndcg(["x", "y", "a"], {"a": 1}, 2) == 0.0


def test_ndcg_is_perfect_when_k_is_filled_with_the_best():
    # four relevant documents, but only two places: the ideal is cut at k, too
    assert ndcg(["a", "b"], {"a": 2, "b": 2, "c": 1, "d": 1}, 2) == 1.0


def test_a_negative_grade_gains_and_costs_nothing():
    assert ndcg(["bad", "a"], {"a": 1, "bad": -1}, 10) == pytest.approx(1 / math.log2(3))


def test_recall_is_the_share_of_relevant_documents_among_the_first_k():
    # of a, b and c, the first three places hold a and c
    assert recall(["a", "no", "c", "b"], GRADED, 3) == pytest.approx(2 / 3)
    assert recall(["a", "no", "c", "b"], GRADED, 4) == 1.0


def test_a_document_that_is_judged_irrelevant_does_not_count_for_recall():
    assert recall(["no"], GRADED, 10) == 0.0


@pytest.mark.parametrize(
    ("ranking", "k", "expected"),
    [
        (["a"], 10, 1.0),
        (["x", "no", "c"], 10, 1 / 3),
        (["x", "no", "c"], 2, 0.0),
        (["x", "b", "a"], 10, 1 / 2),
        ([], 10, 0.0),
    ],
)
def test_the_reciprocal_rank_is_that_of_the_first_relevant_document(ranking, k, expected):
    assert reciprocal_rank(ranking, GRADED, k) == pytest.approx(expected)


@pytest.mark.parametrize("metric", [ndcg, recall, reciprocal_rank])
@pytest.mark.parametrize("judged", [{}, {"a": 0}])
def test_without_a_relevant_document_a_metric_is_zero(metric, judged):
    assert metric(["a"], judged, 10) == 0.0


def test_a_summary_is_the_mean_over_every_judged_question():
    judgements = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 1}, "q4": {"a": 1}}
    rankings = {"q1": ["a"], "q2": ["x", "y", "a"], "q3": ["x"] * 10 + ["a"]}  # q4: no ranking

    # nDCG: 1, 1/log2(4), 0, 0; recall@10: 1, 1, 0, 0; recall@100: 1, 1, 1, 0; RR: 1, 1/3, 0, 0
    assert summary(rankings, judgements) == {
        "ndcg@10": pytest.approx(1.5 / 4),
        "recall@10": pytest.approx(2 / 4),
        "recall@100": pytest.approx(3 / 4),
        "mrr@10": pytest.approx((1 + 1 / 3) / 4),
    }


def test_a_ranking_that_nobody_judged_does_not_count():
    assert summary({"q1": ["a"], "q9": ["x"]}, {"q1": {"a": 1}})["ndcg@10"] == 1.0


def test_without_questions_there_is_no_summary():
    assert summary({}, {}) == {}


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


@given(rankings, judged, st.integers(1, 10))
def test_metrics_lie_between_zero_and_one(ranking, judged, k):
    for metric in (ndcg, recall, reciprocal_rank):
        assert 0.0 <= metric(ranking, judged, k) <= 1.0


@given(judged, st.integers(1, 10))
def test_the_ideal_ranking_is_perfect(judged, k):
    ideal = sorted(judged, key=lambda one: -judged[one])

    relevant = [one for one in judged if judged[one] > 0]
    assert ndcg(ideal, judged, k) == pytest.approx(1.0 if relevant else 0.0)
    assert reciprocal_rank(ideal, judged, k) == (1.0 if relevant else 0.0)


@given(rankings, judged, st.integers(1, 9))
def test_recall_only_grows_with_k(ranking, judged, k):
    assert recall(ranking, judged, k) <= recall(ranking, judged, k + 1)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_not_exceeded_by_so_many(values, share):
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
