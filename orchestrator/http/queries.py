"""`/v1/query` and `/v1/search`: questions."""

from __future__ import annotations

import json
import time
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from orchestrator.answering.course import as_source
from orchestrator.answering.service import Wish
from orchestrator.domain.answers import Answer, Done, Sources, Token
from orchestrator.domain.context import trace_id
from orchestrator.domain.passages import Made, Retrieval
from orchestrator.http.dependencies import application, caller
from orchestrator.http.problems import Problem
from orchestrator.http.schemas import (
    QueryRequest,
    SearchHit,
    SearchMeta,
    SearchRequest,
    SearchResponse,
)
from orchestrator.http.streaming import (
    EVENT_STREAM,
    EventStream,
    Failure,
    Told,
    answered,
    begun,
    limited,
)
from orchestrator.telemetry.counting import count_search
from orchestrator.wiring import Application

router = APIRouter(prefix="/v1", tags=["questions"])

JSON: Final = "application/json"
_ANSWER: Final = TypeAdapter(Answer)
_SOURCES: Final = TypeAdapter(Sources)
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 404, 409, 413, 422, 503, 504)
}


@router.post(
    "/query",
    response_model=Answer,
    responses={200: {"content": {EVENT_STREAM: {}}}, **_PROBLEMS},
    summary="Ask a question",
)
async def query(body: QueryRequest, request: Request) -> Response:
    """Answer from the workspace's documents, with sources; or say that they do not answer.

    With `stream: true`, or `Accept: text/event-stream`, the same answer comes as server-sent
    events: `sources` first, then `token`s, then `done` with the whole answer.
    """
    app, asked = application(request), body.as_query(caller(request))
    if body.stream or EVENT_STREAM in request.headers.get("accept", ""):
        first, events = await begun(app, asked, request.receive)
        return EventStream(app, first, events, written)
    answer = await answered(app, asked, request.receive)
    return Response(_ANSWER.dump_json(answer), media_type=JSON)


@router.post(
    "/search", response_model=SearchResponse, responses=_PROBLEMS, summary="Search passages"
)
async def search(body: SearchRequest, request: Request) -> Response:
    """Retrieval alone: the best passages, each with every stage's raw score and rank."""
    began = time.perf_counter()
    app = application(request)
    query = body.as_query(caller(request))
    found, timings = await limited(app, app.answering.look(query, _wish(app, body)))
    latency = round((time.perf_counter() - began) * 1e3, 3)
    response = SearchResponse.model_construct(
        hits=[SearchHit.of(as_source(one), found.why.get(one.chunk.id)) for one in found.passages],
        meta=_meta(found, timings, latency, tried=body.settings is not None),
    )
    if body.settings is None:
        count_search(app.recorder, query, found, {**timings, "total": latency})
    else:
        app.metrics.search_trials.inc()
    return Response(response.model_dump_json(), media_type=JSON)


def _wish(app: Application, body: SearchRequest) -> Wish:
    return Wish(
        mode=body.mode,
        by_document=body.group_by == "document",
        rerank=body.rerank,
        explain=body.explain,
        trial=partial(app.assembly.tried, body.settings.patch()) if body.settings else None,
    )


def _meta(
    found: Retrieval, timings: dict[str, float], latency: float, *, tried: bool
) -> SearchMeta:
    made = found.made or Made("", "none", 0, 0)
    return SearchMeta.model_construct(
        latency_ms=latency,
        trace_id=trace_id(),
        timings_ms=timings,
        degraded=list(found.degraded),
        retriever=made.retriever,
        reranker=made.reranker,
        revision=made.revision,
        config_version=made.config_version,
        tried=tried,
        fusion=found.fusion,
        query=found.understood,
    )


def written(event: Told) -> bytes:
    """The event as it stands in a stream."""
    match event:
        case Sources():
            return _event("sources", _SOURCES.dump_json(event).decode())
        case Token():
            return f'event: token\ndata: {{"text": {quoted(event.text)}}}\n\n'.encode()
        case Done():
            return _event("done", _ANSWER.dump_json(event.answer).decode())
        case Failure():
            return _event("error", json.dumps(event.problem))


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
