"""Asking: the whole answer, its events, and what happens when it takes too long or breaks off."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.answering.service import Wish
from orchestrator.domain.analytics import TEXTS
from orchestrator.domain.answers import Done, Query, Sources, Spent, Token, Usage
from orchestrator.domain.context import begin_spending, ends_at, spend
from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS, Scope
from orchestrator.settings import load
from tests.unit.fakes import hurried
from tests.unit.http.conftest import ANSWER, Service, events

TIMEOUT_S = 0.2
OUTCOMES = ("found", "weak", "none")


@pytest.fixture
def hasty():
    return Service(load(profile="mock", http={"timeout_s": TIMEOUT_S}))


async def forever():
    await asyncio.Event().wait()


async def test_an_answer_has_every_field(service):
    body = (await service.ask()).json()

    assert (body["answer"], body["answerable"]) == ("Refunds are paid. [1]", True)
    (source,) = body["sources"]
    assert (source["source_id"], source["page"], source["section"]) == (
        "policies/1.md",
        3,
        "Refunds > Delays",
    )
    assert (source["start"], source["end"], source["cited"]) == (120, 310, True)
    assert source["scores"]["keyword"] == {"score": 7.5, "rank": 2}
    usage = {"prompt_tokens": 12, "completion_tokens": 9, "model": "small", "cost": 0.25}
    assert body["meta"]["usage"] == usage
    assert body["meta"]["degraded"] == ["dense_retrieval"]


async def test_a_question_is_asked_as_it_was_sent(service):
    filters = {"field": "year", "op": "eq", "value": 2026}

    await service.ask(query="  Paid?  ", workspace="legal", top_k=7, filters=filters)

    scope = Scope("legal", ANONYMOUS, Condition("year", "eq", 2026))
    assert service.answering.asked == [Query("Paid?", scope, 7)]


async def test_a_question_may_name_who_answers(service):
    await service.ask(model="small")
    refused = await service.http.post("/v1/search", json={"query": "Paid?", "model": "small"})

    assert service.answering.asked == [Query("Paid?", model="small")]
    assert (refused.status_code, refused.json()["field"]) == (422, "model")


async def test_a_model_that_is_not_there_is_told_before_a_stream_begins(service):
    service.answering.events = [NotFound("no", code="unknown_model", field="model")]

    for stream in (False, True):
        response = await service.ask(model="large", stream=stream)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (404, "unknown_model")
        assert problem["field"] == "model"


async def test_what_is_not_said_has_a_default(service):
    await service.ask()

    assert service.answering.asked == [Query("Paid?", Scope("default", ANONYMOUS, None), 5)]


async def test_nobody_becomes_somebody_by_a_header(service):
    headers = {"x-user": "root", "x-groups": "board", "authorization": "Bearer x"}

    await service.http.post("/v1/query", json={"query": "Paid?"}, headers=headers)

    assert service.answering.asked[0].scope.principal is ANONYMOUS


async def streamed(service, **options):
    return await service.http.post(
        "/v1/query",
        **{"json": {"query": "Paid?", "stream": True}, **options},
    )


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"query": "Paid?", "stream": True}},
        {"json": {"query": "Paid?"}, "headers": {"accept": "text/event-stream"}},
        {"json": {"query": "Paid?"}, "headers": {"accept": "text/event-stream, */*;q=0.1"}},
    ],
)
async def test_an_answer_may_come_as_events(service, options):
    response = await streamed(service, **options)

    assert response.headers["content-type"].startswith("text/event-stream")
    found = events(response.text)
    assert [name for name, _ in found] == ["sources", "token", "token", "done"]
    assert found[0][1]["sources"][0]["title"] == "Rückgabe – 返金"
    assert "".join(data["text"] for name, data in found if name == "token") == ANSWER.answer
    assert found[-1][1] == (await service.ask()).json()


async def test_a_line_break_in_a_token_breaks_no_event(service):
    service.answering.events[1:3] = [Token("one\n\nevent: done\ndata: {}\n\n")]

    found = events((await streamed(service)).text)

    assert found[1] == ("token", {"text": "one\n\nevent: done\ndata: {}\n\n"})
    assert len(found) == 3


async def test_what_fails_before_the_first_event_is_a_plain_problem(service):
    service.answering.events = [Unavailable("retrieval", "switched off")]

    response = await streamed(service)

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("generator", "switched off"), "unavailable"),
        (Conflict("withdrawn", code="source_withdrawn"), "source_withdrawn"),
    ],
)
async def test_what_fails_midway_is_the_last_event(service, error, code):
    service.answering.events[2:] = [error]

    response = await streamed(service)

    found = events(response.text)
    assert response.status_code == 200
    assert [name for name, _ in found] == ["sources", "token", "error"]
    assert (found[-1][1]["code"], found[-1][1]["detail"]) == (code, error.detail)
    assert found[-1][1]["trace_id"] == response.headers["x-trace-id"]
    assert service.counted("rag_errors_total", code=code) == 1
    assert service.counted("rag_queries_total") == 0


async def test_a_defect_midway_is_the_last_event_without_its_cause(service):
    service.answering.events[2:] = [ZeroDivisionError("a secret")]

    response = await streamed(service)

    found = events(response.text)
    assert [name for name, _ in found] == ["sources", "token", "error"]
    assert found[-1][1]["code"] == "internal"
    assert "secret" not in response.text
    assert service.counted("rag_errors_total", code="internal") == 1


@hurried
async def test_an_answer_that_takes_too_long_is_timed_out(hasty):
    hasty.answering.events.insert(0, forever)

    response = await hasty.ask()

    assert (response.status_code, response.json()["code"]) == (504, "timed_out")
    assert response.json()["detail"] == "the request took longer than 0.2 s"


@hurried
async def test_a_search_that_takes_too_long_is_timed_out(hasty):
    hasty.answering.events.insert(0, forever)

    response = await hasty.http.post("/v1/search", json={"query": "Paid?"})

    assert (response.status_code, response.json()["code"]) == (504, "timed_out")


@hurried
async def test_a_stream_that_does_not_begin_in_time_is_timed_out(hasty):
    hasty.answering.events.insert(0, forever)

    response = await streamed(hasty)

    assert (response.status_code, response.json()["code"]) == (504, "timed_out")


@hurried
async def test_a_stream_that_does_not_end_in_time_says_so_in_its_last_event(hasty):
    hasty.answering.events.insert(2, forever)

    found = events((await streamed(hasty)).text)

    assert [name for name, _ in found] == ["sources", "token", "error"]
    assert (found[-1][1]["status"], found[-1][1]["code"]) == (504, "timed_out")


@hurried
async def test_a_stream_that_is_timed_out_is_closed(hasty):
    closed = []

    async def left():
        try:
            await forever()
        finally:
            closed.append(True)

    hasty.answering.events.insert(2, left)

    await streamed(hasty)

    assert closed == [True]


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_are_counted(service, stream):
    fresh = replace(ANSWER, meta=replace(ANSWER.meta, cache_hit=False, degraded=()))
    refusal = replace(fresh, answerable=False)
    for one in (ANSWER, fresh, refusal):
        service.answering.events = [Sources(one.sources), Done(one)]
        await service.ask(stream=stream)

    assert service.counted("rag_queries_total") == 3
    assert service.counted("rag_cache_hits_total") == 1
    assert service.counted("rag_cache_misses_total") == 2
    assert service.counted("rag_unanswerable_total") == 1
    assert service.counted("rag_degraded_total", dependency="dense_retrieval") == 1
    assert service.counted("rag_query_duration_seconds_count") == 3


async def test_a_search_gives_hits_with_the_scores_of_every_stage(service):
    response = await service.http.post("/v1/search", json={"query": "Paid?"})

    body = response.json()
    (hit,) = body["hits"]
    assert hit["snippet"] == "Refunds are paid within 7 days of purchase."
    assert hit["scores"] == {"dense": {"score": 0.5, "rank": 1}}
    assert body["meta"]["timings_ms"] == {"retrieve": 1.5}
    assert body["meta"]["degraded"] == ["keyword_retrieval"]
    assert body["meta"]["trace_id"] == response.headers["x-trace-id"]


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ({}, Wish()),
        ({"mode": "dense"}, Wish(mode="dense")),
        ({"group_by": "document"}, Wish(by_document=True)),
        ({"rerank": True, "explain": True}, Wish(rerank=True, explain=True)),
    ],
)
async def test_a_search_is_made_as_it_was_asked_for(service, body, wish):
    await service.http.post("/v1/search", json={"query": "Paid?", **body})

    assert service.answering.asked == [(Query("Paid?", Scope("default"), 10), wish)]


async def test_what_is_tried_is_the_patch_that_was_sent_and_counts_as_a_trial(service):
    body = {"query": "Paid?", "settings": {"fusion": {"method": "rrf"}, "reranker": None}}

    await service.http.post("/v1/search", json=body)

    ((_, wish),) = service.answering.asked
    assert wish.trial("config") == ({"fusion": {"method": "rrf"}, "reranker": None}, "config")
    assert service.counted("rag_search_trials_total") == 1
    assert sum(service.counted("rag_searches_total", outcome=o) for o in OUTCOMES) == 0


async def test_a_search_without_an_explanation_has_none(service):
    response = await service.http.post("/v1/search", json={"query": "Paid?"})

    assert response.json()["hits"][0]["why"] is None


async def test_searches_and_answers_are_counted_by_outcome_and_stage(service):
    await service.ask()
    await service.http.post("/v1/search", json={"query": "Paid?"})
    await service.app.state.application.recorder.flush()

    assert service.counts.kept["outcome", "found"] == 2
    assert service.counts.kept["note", "degraded"] == 2
    assert service.counts.kept["stage", "retrieve:13"] == 1


async def test_tokens_that_a_search_took_are_counted_for_the_workspace(service):
    async def rewriting():
        begin_spending()
        spend(Spent("rewrite", Usage(30, 8, "tiny")))

    service.answering.events = [rewriting]
    await service.http.post("/v1/search", json={"query": "Paid?"})
    await service.app.state.application.recorder.flush()

    assert service.counts.kept["usage", "prompt:tiny"] == 30


async def test_all_tokens_that_a_request_took_are_counted_for_the_workspace(service):
    await service.ask()
    rest = replace(ANSWER, meta=replace(ANSWER.meta, cache_hit=True, spent=ANSWER.meta.spent[:1]))
    service.answering.events = [Sources(rest.sources), Done(rest)]
    await service.ask()
    await service.app.state.application.recorder.flush()

    assert service.counts.kept["usage", "prompt:small"] == 12
    assert service.counts.kept["usage", "cost:small"] == 25_000
    assert service.counts.kept["usage", "prompt:tiny"] == 60
    assert ("usage", "cost:tiny") not in service.counts.kept


@pytest.mark.parametrize("stream", [False, True])
async def test_what_answers_knows_when_the_request_must_be_over(service, stream):
    known = []

    async def look():
        known.append(ends_at() - asyncio.get_running_loop().time())

    service.answering.events.insert(1, look)
    await service.ask(stream=stream)

    (left,) = known
    assert 0 < left <= 30


async def test_too_much_to_do_is_told_with_when_to_come_back(service):
    service.answering.events = [Exhausted("the model has too much to do", retry_after=6.2)]

    response = await service.ask()

    assert (response.status_code, response.json()["code"]) == (429, "exhausted")
    assert response.headers["retry-after"] == "7"
    assert not [kind for kind, _ in service.counts.kept if kind in TEXTS]
