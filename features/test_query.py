"""Steps of asking: the contract's fields, streams, traces, and what is refused."""

from __future__ import annotations

import json
from typing import Any

from pytest_bdd import parsers, scenarios, then, when

from features.world import World

scenarios("query.feature")

ANSWER = {"answer": str, "answerable": bool, "sources": list, "meta": dict}
SOURCE = {
    "doc_id": str,
    "chunk_id": str,
    "title": str,
    "snippet": str,
    "score": float,
    "page": (int, type(None)),
    "section": (str, type(None)),
    "start": int,
    "end": int,
    "cited": bool,
}
META = {
    "cache_hit": bool,
    "latency_ms": (int, float),
    "trace_id": str,
    "timings_ms": dict,
    "degraded": list,
    "retriever": str,
    "reranker": str,
    "skipped": list,
    "generator": str,
    "usage": dict,
}


def nested(depth: int) -> dict[str, Any]:
    return {"not": nested(depth - 1)} if depth else {"field": "a", "op": "eq", "value": 1}


def condition(**changes: Any) -> dict[str, Any]:
    return {"filters": {"field": "year", "op": "eq", "value": 2026, **changes}}


QUESTION = {"query": "How fast are refunds paid?"}
MATTERS: dict[str, bytes | dict[str, Any] | list[str]] = {
    "an empty body": b"",
    "a body that is not JSON": b'{"query": "How fast',
    "a body that is a list": ["How fast are refunds paid?"],
    "no query": {},
    "an empty query": {"query": ""},
    "a query of spaces": {"query": " \t\n "},
    "a query of 5000 letters": {"query": "a" * 5000},
    "a query of 2 megabytes": {"query": "a" * 2_000_000},
    "a query that is a number": {"query": 42},
    "a lone surrogate": b'{"query": "refunds \\ud800"}',
    "an unknown field": QUESTION | {"tok_k": 5},
    "an unknown workspace": QUESTION | {"workspace": "nowhere"},
    "a top_k of 0": QUESTION | {"top_k": 0},
    "a top_k of 101": QUESTION | {"top_k": 101},
    "an unknown operator": QUESTION | condition(op="like"),
    "a filter without a value": QUESTION | {"filters": {"field": "year", "op": "eq"}},
    "a filter nested 20 deep": QUESTION | {"filters": nested(20)},
    "a filter that is a list": QUESTION | {"filters": [nested(0)]},
    "an unknown search mode": QUESTION | {"mode": "psychic"},
}


@when(parsers.parse("I send {matter}"))
def send(world: World, matter: str) -> None:
    body = MATTERS[matter]
    path = "/v1/search" if "search" in matter else "/v1/query"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    world.request("POST", path, content=content, headers={"content-type": "application/json"})


@when(parsers.parse('I read "{path}"'))
def read(world: World, path: str) -> None:
    world.request("GET", path)


@when(parsers.parse('I ask for 1 passage on "{question}"'))
def ask_for_one(world: World, question: str) -> None:
    world.ask(question, top_k=1)


@when(parsers.parse('I ask "{question}" within the trace "{trace}"'))
def ask_within(world: World, question: str, trace: str) -> None:
    world.ask(question, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})


@when(parsers.parse('I search by document for "{query}"'))
def search_by_document(world: World, query: str) -> None:
    world.search(query, group_by="document")


@then("the answer is the same as before")
def same_as_before(world: World) -> None:
    for part in ("answer", "answerable", "sources"):
        assert world.answer[part] == world.before[part]


@then("the answer has every field of the contract")
def whole(world: World) -> None:
    assert world.answer["sources"], "an answer without sources proves nothing"
    holds(world.answer, ANSWER)
    holds(world.answer["meta"], META)
    holds(world.answer["meta"]["usage"], {"prompt_tokens": int, "completion_tokens": int})
    assert "retrieve" in world.answer["meta"]["timings_ms"]
    for source in world.answer["sources"]:
        holds(source, SOURCE)


def holds(part: dict[str, Any], fields: dict[str, Any]) -> None:
    assert part.keys() >= fields.keys()
    wrong = {name: part[name] for name, kind in fields.items() if not isinstance(part[name], kind)}
    assert not wrong


@then("every score lies between 0 and 1, best first")
def scores(world: World) -> None:
    found = [source["score"] for source in world.answer["sources"]]
    assert all(0 <= score <= 1 for score in found)
    assert found == sorted(found, reverse=True)


@then("the events are sources, then tokens, then done")
def in_order(world: World) -> None:
    names = [name for name, _ in world.events]
    assert len(names) > 2
    assert names == ["sources", *["token"] * (len(names) - 2), "done"]


@then("the sources event and the answer name the same passages")
def same_passages(world: World) -> None:
    announced = world.events[0][1]["sources"]
    assert [one["chunk_id"] for one in announced] == [
        one["chunk_id"] for one in world.answer["sources"]
    ]


@then("the trace id in the answer is the one in the header")
def traced(world: World) -> None:
    trace = world.answer["meta"]["trace_id"]
    assert len(trace) == 32
    assert int(trace, 16)
    assert world.response.headers["x-trace-id"] == trace


@then(parsers.parse('the trace id in the answer is "{trace}"'))
def traced_as(world: World, trace: str) -> None:
    assert world.answer["meta"]["trace_id"] == trace
    assert world.response.headers["x-trace-id"] == trace


@then("every hit shows the scores of its stages")
def stage_scores(world: World) -> None:
    hits = world.response.json()["hits"]
    assert hits
    for hit in hits:
        assert 0 <= hit["score"] <= 1
        assert hit["scores"]
        assert all(one["rank"] >= 1 for one in hit["scores"].values())


@then("no document is hit twice")
def no_document_twice(world: World) -> None:
    found = [hit["doc_id"] for hit in world.response.json()["hits"]]
    assert found
    assert len(set(found)) == len(found)
