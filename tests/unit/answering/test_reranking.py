"""Conditional reranking: skipped where the first passage is clear, and never silently."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answering.fusion import fuse
from orchestrator.answering.reaching import ReachingRetriever
from orchestrator.answering.reranking import ConditionalReranker, lead
from orchestrator.contracts.reranker import RerankerContract
from orchestrator.domain.context import begin_skips
from orchestrator.domain.passages import Hit, Retrieval
from orchestrator.domain.workspaces import Fusion, Reach, Reranking
from tests.builders import passage, question


class Reversing:
    def __init__(self):
        self.asked = 0

    async def rerank(self, query, passages, *, limit):
        self.asked += 1
        return passages[::-1][:limit]


class TestConditionalReranker(RerankerContract):
    """Of the suite's passages, whose scores fall evenly, the first is not clear."""

    @pytest.fixture(params=["asks", "skips"])
    def reranker(self, request):
        from adapters.reranker.mock import MockReranker

        margin = {"asks": 1.0, "skips": 0.01}[request.param]
        return ConditionalReranker(MockReranker(), margin=margin, skipped=lambda: None)


class Retriever:
    """Finds passages of which the first is clear."""

    async def retrieve(self, _query, *, limit):
        return Retrieval(scored(0.9, 0.4, 0.3, 0.1)[:limit])


async def read(candidates, _scope):
    found = [passage(chunk_id=one.chunk_id, score=one.score) for one in candidates]
    return [replace(one, stages=c.stages) for one, c in zip(found, candidates, strict=True)]


def scored(*scores):
    return [passage(chunk_id=number, score=score) for number, score in enumerate(scores, start=1)]


async def test_a_clear_first_passage_is_not_reranked_and_that_is_told():
    inner, skipped, told = Reversing(), [], begin_skips()
    reranker = ConditionalReranker(inner, margin=0.5, skipped=lambda: skipped.append(1))

    ranked = await reranker.rerank(question(), scored(0.9, 0.4, 0.3, 0.1), limit=2)

    assert [one.chunk.id for one in ranked] == [1, 2]
    assert (inner.asked, len(skipped), told) == (0, 1, ["reranker"])


@pytest.mark.parametrize(
    "scores", [(0.9, 0.8, 0.7, 0.1), (0.9, 0.9, 0.1), (0.5, 0.5, 0.5), (0.9, 0.1), (0.9,), ()]
)
async def test_what_is_not_clear_is_reranked(scores):
    inner, skipped, told = Reversing(), [], begin_skips()
    reranker = ConditionalReranker(inner, margin=0.5, skipped=lambda: skipped.append(1))

    ranked = await reranker.rerank(question(), scored(*scores), limit=2)

    assert [one.chunk.id for one in ranked] == [*range(len(scores), 0, -1)][:2]
    assert (inner.asked, skipped, told) == (1, [], [])


async def test_the_neighbours_of_a_clear_first_passage_do_not_tie_with_it():
    inner, skipped = Reversing(), []
    reranker = ConditionalReranker(inner, margin=0.5, skipped=lambda: skipped.append(1))
    retriever = ReachingRetriever(
        Retriever(), Reach(neighbours=1), lambda chunk_id, *_: [chunk_id + 10], read
    )
    found = await retriever.retrieve(question(), limit=8)

    ranked = await reranker.rerank(question(), found.passages, limit=8)

    assert [one.chunk.id for one in ranked] == [1, 11, 2, 12, 3, 13, 4, 14]
    assert (inner.asked, len(skipped)) == (0, 1)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ((1.0, 0.0, 0.0), 1.0),
        ((0.9, 0.7, 0.5), 0.5),
        ((0.9, 0.9, 0.5), 0.0),
        ((0.9, 0.6, 0.5, 0.3), 0.5),
        ((0.4, 0.4, 0.4), 0.0),
        ((0.9, 0.1), 0.0),
        ((0.9,), 0.0),
        ((), 0.0),
    ],
)
def test_the_lead_is_that_over_the_second_by_that_over_the_last(scores, wanted):
    assert lead(scores) == pytest.approx(wanted)


@given(
    st.lists(st.integers(0, 1000), min_size=3, max_size=20),
    st.floats(0.01, 100),
    st.floats(-100, 100),
)
def test_the_lead_does_not_depend_on_the_scale_of_the_scores(scores, scale, offset):
    falling = sorted(scores, reverse=True)

    assert 0 <= lead(falling) <= 1
    assert lead([one * scale + offset for one in falling]) == pytest.approx(lead(falling), abs=1e-6)


@pytest.mark.parametrize(
    "fusion",
    [
        Fusion(method="rrf"),
        Fusion(normalise="zscore"),
        Fusion(normalise="minmax"),
    ],
)
def test_every_fusion_has_a_greater_lead_where_both_sides_agree(fusion):
    agreed = {
        "dense": [Hit(1, 0.9), *(Hit(n, 0.3 - n / 100) for n in range(2, 12))],
        "keyword": [Hit(1, 20.0), *(Hit(n, 5.0 - n / 10) for n in range(12, 22))],
    }
    torn = {
        "dense": [Hit(n, 0.9 - n / 100) for n in range(1, 12)],
        "keyword": [Hit(n, 20.0 - n / 10) for n in range(12, 22)],
    }

    clear, unclear = (
        lead([one.score for one in fuse(found, fusion, limit=20)]) for found in (agreed, torn)
    )
    assert clear > 0.5 > unclear


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.1])
def test_a_margin_that_means_nothing_is_refused(margin):
    with pytest.raises(ValueError, match="skip_margin"):
        Reranking(skip_margin=margin)
