"""`/v1/chat/completions` and `/v1/models`: workspaces as models, for OpenAI's clients."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, TypeAdapter

from orchestrator.domain.answers import Done, Source, Sources, Token
from orchestrator.domain.workspaces import Workspace
from orchestrator.http.completion_errors import completion_error
from orchestrator.http.completion_schemas import (
    Completion,
    CompletionRequest,
    CompletionUsage,
    Model,
    ModelList,
    Rag,
    citations,
    completion_id,
    finish,
)
from orchestrator.http.dependencies import App, application, caller
from orchestrator.http.streaming import (
    EVENT_STREAM,
    EventStream,
    Failure,
    Told,
    answered,
    begun,
)

router = APIRouter(prefix="/v1", tags=["chat completions"])

DONE: Final = b"data: [DONE]\n\n"
PLACE: Final = "\0"
"""Where the text of a token stands, in what is otherwise the same for all: no name holds it."""
_SOURCES: Final = TypeAdapter(tuple[Source, ...])


class ErrorView(BaseModel):
    """An error, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str
    trace_id: str


class ErrorResponse(BaseModel):
    """Why there is no completion."""

    error: ErrorView


_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorResponse} for status in (400, 404, 409, 413, 429, 503, 504)
}


@router.post(
    "/chat/completions",
    response_model=Completion,
    responses={200: {"content": {EVENT_STREAM: {}}}, **_ERRORS},
    summary="Ask a question, in OpenAI's shape",
)
async def completions(body: CompletionRequest, request: Request) -> Response:
    """Answer the last message of the user from the workspace that `model` names.

    Citations are annotations; what OpenAI's shape has no place for stands in `rag`.
    """
    app, asked = application(request), body.as_query(caller(request))
    if body.stream:
        first, events = await begun(app, asked, request.receive)
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return EventStream(app, first, events, Chunks(body.model, with_usage=usage))
    answer = await answered(app, asked, request.receive)
    written = Completion.of(body.model, answer).model_dump_json()
    return Response(written, media_type="application/json")


@router.get("/models", summary="List workspaces, as models")
async def models(app: App) -> ModelList:
    """Every workspace that can be asked."""
    return ModelList(data=[_model(one) for one in await app.catalog.workspaces.list()])


@router.get(
    "/models/{name:path}", responses={404: _ERRORS[404]}, summary="Read a workspace, as a model"
)
async def model(app: App, name: str) -> Model:
    """One workspace."""
    return _model(await app.catalog.workspaces.get(name))


def _model(workspace: Workspace) -> Model:
    return Model(id=workspace.name, created=int(workspace.created_at.timestamp()))


class Chunks:
    """Writes the events of one answer as the chunks of a completion."""

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self._same = {
            "id": completion_id(),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
            **({"usage": None} if with_usage else {}),
        }
        self._with_usage = with_usage
        self._around = self._chunk({"content": PLACE}).split(json.dumps(PLACE).encode())

    def __call__(self, event: Told) -> bytes:
        """The event as it stands in the stream."""
        match event:
            case Sources():
                rag = {"sources": _SOURCES.dump_python(event.sources, mode="json")}
                return self._chunk({"role": "assistant", "content": ""}, rag=rag)
            case Token():
                before, after = self._around
                return b"%b%b%b" % (before, json.dumps(event.text).encode(), after)
            case Done():
                return self._last(event) + DONE
            case Failure():
                return _data(completion_error(event.problem))

    def _last(self, done: Done) -> bytes:
        cited = [one.model_dump() for one in citations(done.answer)]
        rag = Rag.of(done.answer).model_dump(mode="json")
        last = self._chunk(
            {"annotations": cited} if cited else {}, finish=finish(done.answer), rag=rag
        )
        if self._with_usage:
            usage = CompletionUsage.of(done.answer).model_dump()
            last += _data({**self._same, "choices": [], "usage": usage})
        return last

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**self._same, "choices": [choice], **more})


def _data(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
