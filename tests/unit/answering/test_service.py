"""Searching: retrieval alone, by passage or by document."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.answering.service import ATTEMPTS, GROUP_DEPTH, Wish
from orchestrator.domain.answers import Query, Spent, Usage
from orchestrator.domain.context import spend, spent
from orchestrator.domain.errors import Conflict, NotFound, Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.workspaces import TRIED
from tests.unit.answering.stages import Stages

REFUNDS = ("Refunds are paid.", "Fees are not refunded.")
TRAVEL = ("Travel is approved.", "Hotels are paid for.")


@pytest.fixture
def stages():
    made = Stages()
    made.refunds = made.catalog.publish("default", *REFUNDS)
    made.travel = made.catalog.publish("default", *TRAVEL)
    return made


def texts(retrieval):
    return [one.chunk.text for one in retrieval.passages]


async def test_a_search_gives_the_best_passages(stages):
    found, timings = await stages.answering.search(Query("paid", top_k=3))

    assert texts(found) == [*REFUNDS, TRAVEL[0]]
    assert isinstance(timings, dict)


async def test_a_search_by_document_gives_the_best_passage_of_each(stages):
    found, _ = await stages.answering.search(Query("paid", top_k=2), by_document=True)

    assert texts(found) == [REFUNDS[0], TRAVEL[0]]
    assert [limit for _, limit in stages.retrieved] == [2 * GROUP_DEPTH]


async def test_a_search_by_document_gives_no_more_documents_than_wanted(stages):
    found, _ = await stages.answering.search(Query("paid", top_k=1), by_document=True)

    assert texts(found) == [REFUNDS[0]]


@pytest.mark.parametrize("mode", [None, "dense", "keyword", "hybrid"])
async def test_a_search_is_made_in_the_mode_that_is_asked_for(stages, mode):
    await stages.answering.search(Query("paid"), mode=mode)

    assert stages.modes == [mode]


async def test_a_search_is_normalised_and_pinned(stages):
    await stages.answering.search(Query("  paid \n ﬁrst "))

    ((query, _),) = stages.retrieved
    assert (query.text, query.scope.revision) == ("paid first", 2)


async def test_what_language_models_took_is_that_of_one_search(stages):
    one = Spent("rewrite", Usage(30, 8, "tiny"))
    stages.after_retrieval = lambda: spend(one)

    for _ in range(2):
        await stages.answering.search(Query("paid"))
        assert spent() == (one,)


async def test_a_search_says_what_it_lacked(stages):
    stages.degraded = ("keyword_retrieval",)

    found, _ = await stages.answering.search(Query("paid"))

    assert found.degraded == ("keyword_retrieval",)


async def test_without_retrieval_there_is_no_search(stages):
    stages.retrieval_down = True

    with pytest.raises(Unavailable):
        await stages.answering.search(Query("paid"))


async def test_a_search_looks_again_when_a_passage_was_withdrawn_meanwhile(stages):
    withdrawn = [stages.refunds[0]]
    stages.after_retrieval = lambda: withdrawn and stages.withdraw(withdrawn.pop())

    found, _ = await stages.answering.search(Query("paid"))

    assert withdrawn == []
    assert stages.refunds[0] not in [passage.chunk.id for passage in found.passages]


async def test_a_search_does_not_look_again_for_ever(stages):
    ids = [stages.catalog.publish("default", f"Paid {one}.")[0] for one in range(5)]
    stages.after_retrieval = lambda: stages.withdraw(ids.pop())

    with pytest.raises(Conflict, match="withdrawn"):
        await stages.answering.search(Query("paid", top_k=9))

    assert len(stages.retrieved) == ATTEMPTS


@pytest.mark.parametrize("act", ["search", "answer"])
async def test_an_unknown_workspace_is_not_found(stages, act):
    with pytest.raises(NotFound, match="nowhere"):
        await getattr(stages.answering, act)(Query("paid", Scope("nowhere")))


async def test_a_search_tells_what_made_it(stages):
    found, _ = await stages.answering.search(Query("paid"))

    made = found.made
    assert (made.retriever, made.reranker) == ("hybrid", "none")
    assert (made.revision, made.config_version) == (2, 1)


async def test_a_search_asks_the_reranker_where_that_is_wished_for(stages):
    stages.rerank_depth = 3

    found, _ = await stages.answering.look(Query("paid", top_k=2), Wish(rerank=True))

    assert texts(found) == [TRAVEL[0], REFUNDS[1]]
    assert [(len(ids), limit) for _, ids, limit in stages.reranked] == [(3, 3)]
    assert found.made.reranker == "mock"


async def test_a_search_goes_on_without_its_reranker_and_says_so(stages):
    stages.reranker_down = True

    found, _ = await stages.answering.look(Query("paid", top_k=1), Wish(rerank=True))

    assert texts(found) == [REFUNDS[0]]
    assert found.degraded == ("reranker",)


async def test_a_configuration_is_tried_by_one_search_alone(stages):
    before = (await stages.library.pin("default")).workspace
    tried = []
    stages.answering._retriever_of = lambda moment, _: (
        tried.append(moment.workspace) or stages._retriever(moment, None)
    )

    found, _ = await stages.answering.look(
        Query("paid"), Wish(trial=lambda config: replace(config, depth=7))
    )
    await stages.answering.search(Query("paid"))

    assert [(one.config.depth, one.config_version) for one in tried] == [(7, TRIED), (100, 1)]
    assert found.made.config_version == 1
    assert (await stages.library.pin("default")).workspace == before


async def test_a_search_gives_its_reasons_only_where_they_are_asked_for(stages):
    async def finding(words, chunk_ids):
        return {one: [word for word in words if word == "paid"] for one in chunk_ids}

    stages.answering._words_of = lambda _moment: finding

    silent, _ = await stages.answering.search(Query("paid"))
    told, _ = await stages.answering.look(Query("paid", top_k=1), Wish(explain=True))

    assert silent.why == {}
    assert told.why == {told.passages[0].chunk.id: ["dense: number 1, with cosine 0.500"]}
