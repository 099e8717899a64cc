"""Fusion: two rankings become one, by arithmetic that is done by hand here."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answering.fusion import alone, fuse
from orchestrator.domain.passages import Hit, StageScore
from orchestrator.domain.workspaces import Fusion

RRF = Fusion(method="rrf")
MINMAX = Fusion(method="weighted", normalise="minmax")
ZSCORE = Fusion(method="weighted", normalise="zscore")
DISTRIBUTION = Fusion(method="weighted", normalise="distribution")
METHODS = pytest.mark.parametrize(
    "fusion",
    [RRF, MINMAX, ZSCORE, DISTRIBUTION],
    ids=["rrf", "minmax", "zscore", "distribution"],
)

DENSE = [Hit(1, 0.9), Hit(2, 0.7), Hit(3, 0.5)]
KEYWORD = [Hit(3, 12.0), Hit(1, 8.0), Hit(4, 4.0)]
BOTH = {"dense": DENSE, "keyword": KEYWORD}


def approximately(candidates):
    return {one.chunk_id: pytest.approx(one.score) for one in candidates}


def order(candidates):
    return [one.chunk_id for one in candidates]


def test_reciprocal_ranks_are_summed_and_divided_by_the_best_sum():
    found = fuse(BOTH, RRF, limit=10)

    # 1 is first and second, 3 third and first, 2 second of one, 4 third of one; k is 60, the
    # weights 0.5, and the best sum, first of both, is 0.5/61 + 0.5/61 = 1/61.
    assert {one.chunk_id: one.score for one in found} == {
        1: pytest.approx(61 * (0.5 / 61 + 0.5 / 62)),
        3: pytest.approx(61 * (0.5 / 63 + 0.5 / 61)),
        2: pytest.approx(61 * 0.5 / 62),
        4: pytest.approx(61 * 0.5 / 63),
    }
    assert order(found) == [1, 3, 2, 4]


def test_reciprocal_ranks_are_weighted():
    found = fuse(BOTH, Fusion(method="rrf", dense=0.2, keyword=0.8, k=1), limit=10)

    # best sum: (0.2 + 0.8) / 2 = 0.5
    assert {one.chunk_id: one.score for one in found} == {
        3: pytest.approx((0.2 / 4 + 0.8 / 2) / 0.5),
        1: pytest.approx((0.2 / 2 + 0.8 / 3) / 0.5),
        4: pytest.approx(0.8 / 4 / 0.5),
        2: pytest.approx(0.2 / 3 / 0.5),
    }


def test_minmax_puts_every_stage_between_its_worst_and_its_best():
    found = fuse(BOTH, MINMAX, limit=10)

    # dense: 1 -> 1, 2 -> 0.5, 3 -> 0; keyword: 3 -> 1, 1 -> 0.5, 4 -> 0; the rest is worst: 0
    assert {one.chunk_id: one.score for one in found} == {
        1: pytest.approx(0.75),
        3: pytest.approx(0.5),
        2: pytest.approx(0.25),
        4: pytest.approx(0.0),
    }


def test_zscores_are_averaged_and_squashed():
    found = fuse(BOTH, ZSCORE, limit=10)

    # both stages are evenly spaced, so their three hits lie at z = +q, 0, -q with q = sqrt(3/2);
    # what a stage did not find lies at -q there
    q = math.sqrt(1.5)
    assert {one.chunk_id: one.score for one in found} == {
        1: pytest.approx(1 / (1 + math.exp(-q / 2))),
        3: pytest.approx(0.5),
        2: pytest.approx(1 / (1 + math.exp(q / 2))),
        4: pytest.approx(1 / (1 + math.exp(q))),
    }


def test_weights_need_not_add_up_to_one():
    light = fuse(BOTH, replace(MINMAX, dense=0.1, keyword=0.3), limit=10)
    heavy = fuse(BOTH, replace(MINMAX, dense=1.0, keyword=3.0), limit=10)

    assert {one.chunk_id: one.score for one in light} == approximately(heavy)


@METHODS
def test_a_candidate_says_what_each_stage_found(fusion):
    found = {one.chunk_id: one.stages for one in fuse(BOTH, fusion, limit=10)}

    assert found[3] == {"dense": StageScore(0.5, 3), "keyword": StageScore(12.0, 1)}
    assert found[4] == {"keyword": StageScore(4.0, 3)}


@METHODS
def test_no_more_candidates_are_given_than_wanted(fusion):
    assert order(fuse(BOTH, fusion, limit=2)) == order(fuse(BOTH, fusion, limit=10))[:2]


@METHODS
def test_nothing_found_is_no_candidate(fusion):
    assert fuse({"dense": [], "keyword": []}, fusion, limit=10) == []


@METHODS
def test_one_ranking_may_be_empty(fusion):
    found = fuse({"dense": DENSE, "keyword": []}, fusion, limit=10)

    assert order(found) == [1, 2, 3]


@METHODS
def test_ties_go_to_the_lower_chunk_id(fusion):
    found = fuse({"dense": [Hit(9, 1.0)], "keyword": [Hit(2, 5.0)]}, fusion, limit=10)

    assert order(found) == [2, 9]
    assert found[0].score == found[1].score


@METHODS
def test_a_stage_whose_scores_are_all_the_same_is_no_error(fusion):
    found = fuse({"dense": [Hit(1, 0.5), Hit(2, 0.5)], "keyword": KEYWORD}, fusion, limit=10)

    assert order(found)[-1] == 4
    assert all(0 <= one.score <= 1 for one in found)


@METHODS
def test_the_only_hit_of_a_stage_counts(fusion):
    dense = [Hit(1, 0.55), Hit(2, 0.54), Hit(3, 0.1)]

    found = fuse({"dense": dense, "keyword": [Hit(2, 7.0)]}, fusion, limit=10)

    assert order(found) == [2, 1, 3]


@METHODS
def test_a_stage_without_weight_orders_nothing(fusion):
    found = fuse(BOTH, replace(fusion, dense=0.0, keyword=1.0), limit=10)

    assert order([one for one in found if one.chunk_id in {3, 1, 4}]) == [3, 1, 4]


def test_alone_cosines_stay_as_they_are_within_zero_and_one():
    found = alone("dense", [Hit(1, 1.2), Hit(2, 0.4), Hit(3, -0.3)])

    assert [one.score for one in found] == [1.0, 0.4, 0.0]
    assert found[2].stages == {"dense": StageScore(-0.3, 3)}


def test_alone_keyword_scores_are_relative_to_the_best():
    found = alone("keyword", [Hit(1, 12.0), Hit(2, 3.0)])

    assert [one.score for one in found] == [1.0, 0.25]
    assert found[1].stages == {"keyword": StageScore(3.0, 2)}


@pytest.mark.parametrize("stage", ["dense", "keyword"])
@pytest.mark.parametrize("hits", [[], [Hit(1, 0.0)]])
def test_alone_a_score_of_zero_is_zero(stage, hits):
    assert [one.score for one in alone(stage, hits)] == [0.0] * len(hits)


def ranking(low: float, high: float):
    return st.dictionaries(
        st.integers(1, 12), st.floats(low, high, allow_nan=False), max_size=8
    ).map(
        lambda found: [
            Hit(chunk_id, score)
            for chunk_id, score in sorted(found.items(), key=lambda one: (-one[1], one[0]))
        ]
    )


cosines, counts = ranking(-1, 1), ranking(0.001, 60)
fusions = st.builds(
    Fusion,
    method=st.sampled_from(["rrf", "weighted"]),
    normalise=st.sampled_from(["zscore", "minmax"]),
    dense=st.floats(0.0, 3.0),
    keyword=st.floats(0.01, 3.0),
    k=st.integers(1, 100),
)


@given(cosines, counts, fusions)
def test_scores_lie_between_zero_and_one_best_first(dense, keyword, fusion):
    found = fuse({"dense": dense, "keyword": keyword}, fusion, limit=50)

    assert all(0 <= one.score <= 1 + 1e-9 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@given(cosines, counts, fusions)
def test_every_chunk_found_is_a_candidate_once(dense, keyword, fusion):
    found = fuse({"dense": dense, "keyword": keyword}, fusion, limit=50)

    assert sorted(order(found)) == sorted({hit.chunk_id for hit in [*dense, *keyword]})


@given(counts, fusions)
def test_one_ranking_keeps_its_order(hits, fusion):
    found = fuse({"dense": [], "keyword": hits}, fusion, limit=50)

    raw = {hit.chunk_id: hit.score for hit in hits}
    kept = [raw[one] for one in order(found)]
    assert all(
        before >= after or math.isclose(before, after, rel_tol=1e-6)
        for before, after in pairwise(kept)
    )


@given(cosines, counts, fusions)
def test_a_chunk_that_is_better_in_both_rankings_is_never_behind(dense, keyword, fusion):
    found = fuse({"dense": dense, "keyword": keyword}, fusion, limit=50)

    place = {one.chunk_id: one.score for one in found}
    ranks = [{hit.chunk_id: at for at, hit in enumerate(hits)} for hits in (dense, keyword)]
    for one, other in permutations(place, 2):
        if all(at.get(one, 99) < at.get(other, 99) for at in ranks):
            assert place[one] >= place[other] - 1e-9


@given(ranking(0, 1), st.sampled_from(["dense", "keyword"]))
def test_alone_scores_lie_between_zero_and_one_in_the_same_order(hits, stage):
    found = alone(stage, hits)

    assert order(found) == [hit.chunk_id for hit in hits]
    assert all(0 <= one.score <= 1 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_a_distribution_puts_three_deviations_around_the_mean_between_0_and_1():
    found = fuse(BOTH, DISTRIBUTION, limit=10)

    # as z-scores, three hits lie at q, 0 and -q with q = sqrt(3/2): (z + 3) / 6; what a stage did
    # not find lies three deviations below, at 0
    q = math.sqrt(1.5)
    assert {one.chunk_id: one.score for one in found} == {
        1: pytest.approx(((q + 3) / 6 + 0.5) / 2),
        3: pytest.approx(((-q + 3) / 6 + (q + 3) / 6) / 2),
        2: pytest.approx(0.25),
        4: pytest.approx((-q + 3) / 12),
    }


def test_hits_beyond_three_deviations_keep_their_order_though_none_is_above_1():
    rest = [Hit(chunk_id, 0.0) for chunk_id in range(3, 200)]
    far = [Hit(1, 1000.0), Hit(2, 900.0), *rest]

    found = fuse({"dense": far, "keyword": far}, DISTRIBUTION, limit=3)

    assert order(found) == [1, 2, 3]
    assert [one.score for one in found[:2]] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("lean", "dense", "keyword"),
    [(1.0, 0.3, 0.7), (0.5, 0.4, 0.6), (0.0, 0.5, 0.5), (-0.5, 0.6, 0.4), (-1.0, 0.7, 0.3)],
)
def test_weight_leans_as_far_as_the_question_and_the_configuration_say(lean, dense, keyword):
    leaning = Fusion(adaptive=0.2).leaning(lean)

    assert (leaning.dense, leaning.keyword) == pytest.approx((dense, keyword))


def test_by_default_no_weight_leans():
    assert Fusion().leaning(1.0) == Fusion()


def test_no_weight_leans_below_nothing():
    assert Fusion(dense=0.1, keyword=0.9, adaptive=1.0).leaning(1.0).dense == 0.0
    assert Fusion(dense=0.9, keyword=0.1, adaptive=1.0).leaning(-1.0).keyword == 0.0


@pytest.mark.parametrize("method", ["rrf", "weighted"])
@pytest.mark.parametrize("normalise", ["minmax", "distribution", "zscore"])
def test_shares_add_up_to_the_score(method, normalise):
    rankings = {
        "dense": [Hit(1, 0.9), Hit(2, 0.5), Hit(3, 0.1)],
        "keyword": [Hit(2, 9.0), Hit(4, 3.0)],
    }
    how = Fusion(method=method, normalise=normalise, dense=0.7, keyword=0.2)

    explained = fuse(rankings, how, limit=9, explain=True)

    plain = fuse(rankings, how, limit=9)
    assert [(one.chunk_id, one.score) for one in plain] == [
        (one.chunk_id, one.score) for one in explained
    ]
    for one in explained:
        total = sum(share.weight * share.value for share in one.shares.values())
        if method == "weighted" and normalise == "zscore":
            total = 1 / (1 + math.exp(-total))
        assert min(max(total, 0), 1) == pytest.approx(one.score)
        assert {name for name, share in one.shares.items() if share.found} == set(one.stages)


def test_without_an_explanation_there_are_no_shares():
    assert [one.shares for one in fuse({"dense": [Hit(1, 0.9)]}, Fusion(), limit=1)] == [{}]
