"""`/v1/query` and `/v1/search`: questions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from orchestrator.answering.course import as_source
from orchestrator.answering.service import Wish
from orchestrator.domain.analytics import outcome_of
from orchestrator.domain.answers import Answer, Done, Event, Query, Sources, Token
from orchestrator.domain.context import ending, trace_id
from orchestrator.domain.errors import RagError, TimedOut
from orchestrator.domain.passages import Made, Retrieval
from orchestrator.http.dependencies import application, caller
from orchestrator.http.problems import Problem, problem_of, unexpected
from orchestrator.http.schemas import (
    QueryRequest,
    SearchHit,
    SearchMeta,
    SearchRequest,
    SearchResponse,
)
from orchestrator.telemetry.recorder import Recorder
from orchestrator.wiring import Application

router = APIRouter(prefix="/v1", tags=["questions"])
Result = TypeVar("Result")

EVENT_STREAM: Final = "text/event-stream"
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
    began = time.perf_counter()
    app, asked = application(request), body.as_query(caller(request))
    if body.stream or EVENT_STREAM in request.headers.get("accept", ""):
        events = _events(app, asked)
        first = await anext(events)  # what fails before it fails as a plain problem
        return StreamingResponse(
            _written(first, events, app, asked, began), media_type=EVENT_STREAM
        )
    answer = await limited(app, app.answering.answer(asked))
    _count(app, asked, answer, time.perf_counter() - began)
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
        _count_search(app.recorder, query, found, {**timings, "total": latency})
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


async def limited(app: Application, work: Awaitable[Result]) -> Result:
    """The result of the work, if it comes within the time of a request."""
    seconds = app.settings.http.timeout_s
    ends = asyncio.get_running_loop().time() + seconds
    try:
        with ending(ends):
            async with asyncio.timeout_at(ends):
                return await work
    except TimeoutError as error:
        raise _timed_out(seconds) from error


def _timed_out(seconds: float) -> TimedOut:
    return TimedOut(f"the request took longer than {seconds:g} s")


async def _events(app: Application, asked: Query) -> AsyncGenerator[Event]:
    seconds = app.settings.http.timeout_s
    ends = asyncio.get_running_loop().time() + seconds
    async with aclosing(app.answering.stream(asked)) as events:
        while True:
            try:
                with ending(ends):  # neither around a yield: they belong to one task
                    async with asyncio.timeout_at(ends):
                        event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise _timed_out(seconds) from error
            yield event


async def _written(
    first: Event, events: AsyncGenerator[Event], app: Application, asked: Query, began: float
) -> AsyncIterator[bytes]:
    try:
        yield _written_one(first)
        async with aclosing(events):
            async for event in events:
                yield _written_one(event)
                if isinstance(event, Done):
                    _count(app, asked, event.answer, time.perf_counter() - began)
    except RagError as error:
        app.metrics.errors.labels(error.code).inc()
        yield _event("error", json.dumps(problem_of(error)))
    except Exception as error:  # noqa: BLE001  # the status is sent: told in-band
        app.metrics.errors.labels("internal").inc()
        yield _event("error", json.dumps(unexpected(error)))


def _written_one(event: Event) -> bytes:
    match event:
        case Sources():
            return _event("sources", _SOURCES.dump_json(event).decode())
        case Token():
            return _event("token", json.dumps({"text": event.text}))
        case Done():
            return _event("done", _ANSWER.dump_json(event.answer).decode())


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


def _count_search(
    recorder: Recorder, query: Query, found: Retrieval, timings: dict[str, float]
) -> None:
    recorder.searched(
        query.scope.workspace,
        query.text,
        outcome_of(
            found.passages, fused=found.fusion is not None, weak_cosine=recorder.weak_cosine
        ),
        timings,
        notes=("degraded",) if found.degraded else (),
        understood=found.understood,
    )


def _count(app: Application, asked: Query, answer: Answer, seconds: float) -> None:
    metrics, meta = app.metrics, answer.meta
    notes = {"degraded": bool(meta.degraded), "cached": meta.cache_hit}
    app.recorder.searched(
        asked.scope.workspace,
        asked.text,
        ("found" if answer.answerable else "weak") if answer.sources else "none",
        {**meta.timings_ms, "total": seconds * 1e3},
        notes=[name for name, noted in notes.items() if noted],
        understood=meta.query,
        usage=None if meta.cache_hit else meta.usage,
    )
    metrics.queries.inc()
    metrics.query_seconds.observe(seconds)
    (metrics.cache_hits if answer.meta.cache_hit else metrics.cache_misses).inc()
    if not answer.answerable:
        metrics.unanswerable.inc()
    for dependency in answer.meta.degraded:
        metrics.degraded.labels(dependency).inc()
