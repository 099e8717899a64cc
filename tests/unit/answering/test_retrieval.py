"""Retrieval: both sides at once, one of them when the other is down, and never an empty lie."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.answering.retrieval import (
    HybridRetriever,
    SingleRetriever,
    dense_side,
    keyword_side,
)
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit, Passage
from orchestrator.domain.workspaces import Fusion
from orchestrator.indexing.projection import Projection
from tests.builders import chunk, question
from tests.unit.fakes import FakeIndex, numbered

DENSE = [Hit(1, 0.9), Hit(2, 0.7)]
KEYWORD = [Hit(2, 12.0), Hit(3, 6.0)]


async def read(candidates, _scope):
    return [Passage(chunk(chunk_id=c.chunk_id), c.score, c.stages) for c in candidates]


def side(hits, asked=None):
    async def search(query, limit):
        if asked is not None:
            asked.append((query, limit))
        return hits

    return search


def down(name):
    async def search(*_):
        raise Unavailable(name, "switched off")

    return search


def hybrid(dense, keyword, **values):
    fusion = Fusion(method="rrf")
    return HybridRetriever(
        {"dense": dense, "keyword": keyword}, read, **{"fusion": fusion, "depth": 50, **values}
    )


def ids(retrieval):
    return [one.chunk.id for one in retrieval.passages]


async def test_both_sides_are_fused():
    found = await hybrid(side(DENSE), side(KEYWORD)).retrieve(question(), limit=10)

    assert ids(found) == [2, 1, 3]
    assert found.passages[0].stages.keys() == {"dense", "keyword"}
    assert found.degraded == ()


async def test_both_sides_are_searched_at_the_same_time():
    together = asyncio.Barrier(2)

    async def meets(*_):
        await together.wait()
        return DENSE

    async with asyncio.timeout(60):
        found = await hybrid(meets, meets).retrieve(question(), limit=10)

    assert ids(found) == [1, 2]


@pytest.mark.parametrize(("limit", "depth", "asked_for"), [(5, 50, 50), (80, 50, 80)])
async def test_each_side_is_asked_for_the_depth_or_for_more_if_more_is_wanted(
    limit, depth, asked_for
):
    asked = []
    query = question()

    await hybrid(side(DENSE, asked), side(KEYWORD, asked), depth=depth).retrieve(query, limit=limit)

    assert asked == [(query, asked_for)] * 2


async def test_no_more_passages_are_given_than_wanted():
    found = await hybrid(side(DENSE), side(KEYWORD)).retrieve(question(), limit=2)

    assert ids(found) == [2, 1]


@pytest.mark.parametrize(
    ("dense", "keyword", "wanted", "degraded"),
    [
        (down("vectors"), side(KEYWORD), [2, 3], ("dense_retrieval",)),
        (side(DENSE), down("keywords"), [1, 2], ("keyword_retrieval",)),
    ],
)
async def test_with_one_side_down_the_other_answers_and_says_so(dense, keyword, wanted, degraded):
    found = await hybrid(dense, keyword).retrieve(question(), limit=10)

    assert ids(found) == wanted
    assert found.degraded == degraded
    assert all(0 <= one.score <= 1 for one in found.passages)


async def test_with_one_side_down_no_more_passages_are_given_than_wanted():
    found = await hybrid(down("vectors"), side(KEYWORD)).retrieve(question(), limit=1)

    assert ids(found) == [2]


async def test_with_one_side_down_nothing_found_is_a_degraded_nothing():
    found = await hybrid(down("vectors"), side([])).retrieve(question(), limit=10)

    assert ids(found) == []
    assert found.degraded == ("dense_retrieval",)


async def test_with_both_sides_down_so_is_retrieval():
    with pytest.raises(Unavailable) as caught:
        await hybrid(down("vectors"), down("keywords")).retrieve(question(), limit=10)

    assert caught.value.dependency == "retrieval"
    assert "vectors is unavailable: switched off" in caught.value.detail
    assert "keywords is unavailable: switched off" in caught.value.detail


@pytest.mark.parametrize("error", [ValueError("a defect"), Misconfigured("no such index")])
async def test_an_error_that_is_no_outage_is_not_swallowed(error):
    async def broken(*_):
        raise error

    with pytest.raises(type(error)):
        await hybrid(side(DENSE), broken).retrieve(question(), limit=10)


async def test_a_single_side_gives_its_own_order_and_stage():
    found = await SingleRetriever("keyword", side(KEYWORD), read).retrieve(question(), limit=2)

    assert [(one.chunk.id, one.score) for one in found.passages] == [(2, 1.0), (3, 0.5)]
    assert found.passages[0].stages.keys() == {"keyword"}


async def test_a_single_side_that_is_down_is_unavailable():
    with pytest.raises(Unavailable, match="vectors"):
        await SingleRetriever("dense", down("vectors"), read).retrieve(question(), limit=2)


class OneVector:
    digest, dimension, max_tokens = "m", 2, 8

    async def embed_query(self, text):
        return np.array([len(text), 0], np.float32)


async def test_the_dense_side_searches_by_the_questions_embedding():
    index = FakeIndex(hits=DENSE)
    query = question("four", scope=Scope("default", revision=3))

    hits = await dense_side(OneVector(), Projection(index, numbered))(query, 1)

    assert hits == DENSE[:1]
    ((vector, scope, limit),) = index.asked
    assert (vector.tolist(), scope, limit) == ([4, 0], query.scope, 1)


async def test_the_keyword_side_searches_by_the_questions_words():
    index = FakeIndex(hits=KEYWORD)
    query = question("four", scope=Scope("default", revision=3))

    hits = await keyword_side(Projection(index, numbered))(query, 2)

    assert hits == KEYWORD
    assert index.asked == [("four", query.scope, 2)]


async def test_synonyms_are_looked_for_by_words_and_not_by_meaning():
    asked = []

    class Words:
        async def search(self, text, **_):
            asked.append(text)
            return []

    query = replace(question("PTO"), synonyms=("paid time off", "leave"))
    await keyword_side(Words())(query, 5)

    assert asked == ["PTO paid time off leave"]


async def test_a_question_that_leans_moves_the_weights():
    fusion = Fusion(normalise="minmax", adaptive=0.5)
    retriever = hybrid(side(DENSE), side(KEYWORD), fusion=fusion)

    words = await retriever.retrieve(replace(question(), lean=1.0), limit=3)
    meaning = await retriever.retrieve(replace(question(), lean=-1.0), limit=3)

    assert (ids(words)[0], ids(meaning)[0]) == (2, 1)
