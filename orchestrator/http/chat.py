"""`/v1/chat`: questions over a WebSocket, one at a time, answered by the events of a stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack, aclosing, suppress
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from orchestrator.domain.answers import Answer, Done, Query, Sources, Token, Turn
from orchestrator.domain.context import begin_trace
from orchestrator.domain.errors import Conflict, Exhausted, Forbidden, RagError
from orchestrator.domain.identity import Principal
from orchestrator.http import schemas
from orchestrator.http.dependencies import application, caller
from orchestrator.http.problems import invalid_request, problem, problem_of, respond, unexpected
from orchestrator.http.sockets import Sockets
from orchestrator.http.streaming import SLOWNESS, Failure, Told, told
from orchestrator.wiring import Application

router = APIRouter()

MAX_TURNS: Final = 100
_ANSWER: Final = TypeAdapter(Answer)
_SOURCES: Final = TypeAdapter(Sources)

NORMAL: Final = 1000
UNSUPPORTED: Final = 1003
TRY_AGAIN: Final = 1013
"""Why a socket is closed (RFC 6455, 7.4.1, and IANA's registry of codes)."""

Id = Annotated[str, StringConstraints(max_length=64)]


class Said(BaseModel):
    """Something said before the question."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    text: str


class Question(schemas.Question):
    """A question; `id` stands in every event of its answer."""

    type: Literal["question"]
    id: Id | None = None
    history: list[Said] = Field(default=[], max_length=MAX_TURNS)

    def as_query(self, principal: Principal) -> Query:
        """The domain's query, asked by the principal, after what was said before it."""
        asked = super().as_query(principal)
        return replace(asked, history=tuple(Turn(one.role, one.text) for one in self.history))


class Cancel(BaseModel):
    """The end of the question that is being answered, if there is one."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["cancel"]


_MESSAGE: Final[TypeAdapter[Question | Cancel]] = TypeAdapter(
    Annotated[Question | Cancel, Field(discriminator="type")]
)


@router.websocket("/v1/chat")
async def chat(socket: WebSocket) -> None:
    """Answer questions until the client closes, or has been silent for too long."""
    app = application(socket)
    if not _welcome(socket.headers.get("origin"), app.settings.http.cors_origins):
        refused = Forbidden("pages of this origin may not connect", code="origin_refused")
        await socket.send_denial_response(respond(problem_of(refused)))
        return
    with ExitStack() as held, suppress(WebSocketDisconnect):
        try:
            held.enter_context(_sockets(socket).holding(caller(socket)))
        except Exhausted as error:
            await Chat(socket, app).refuse(error)
        else:
            await Chat(socket, app).run()


def _welcome(origin: str | None, origins: tuple[str, ...]) -> bool:
    """A browser names the page's origin; no other client needs one."""
    return origin is None or origin in origins or "*" in origins


def _sockets(socket: WebSocket) -> Sockets:
    opened: Sockets = socket.app.state.sockets
    return opened


class Chat:
    """One socket: it reads while it answers, so that a question can be cancelled."""

    def __init__(self, socket: WebSocket, app: Application) -> None:
        self._socket = socket
        self._app = app
        self._answering: asyncio.Task[None] | None = None
        self._about: str | None = None
        self._asked_at = 0.0
        self._quiet_since = time.monotonic()

    async def run(self) -> None:
        """Open it, and take messages until there are no more."""
        await self._socket.accept()
        try:
            while message := await self._next():
                await self._take(message)
        finally:
            await self._stop()

    async def refuse(self, error: Exhausted) -> None:
        """Open it to say why no question is taken, and close it."""
        await self._socket.accept()
        await self._fail(problem_of(error))
        await self._socket.close(TRY_AGAIN, "too many sockets: try again later")

    async def _next(self) -> Mapping[str, Any] | None:
        """The next message; none where the client has gone, or was idle for too long."""
        while (left := self._left()) > 0:
            try:
                async with asyncio.timeout(left):
                    message = await self._socket.receive()
            except TimeoutError:
                continue
            self._quiet_since = time.monotonic()
            return message if message["type"] == "websocket.receive" else None
        if not self._busy:  # else it is not read, and could not be told either
            await self._socket.close(NORMAL, "idle")
        return None

    def _left(self) -> float:
        """Seconds until it has been idle, or has not read an answer, for too long."""
        http, now = self._app.settings.http, time.monotonic()
        if self._busy:
            return min(http.socket_idle_s, self._asked_at + http.timeout_s * SLOWNESS - now)
        return self._quiet_since + http.socket_idle_s - now

    @property
    def _busy(self) -> bool:
        return self._answering is not None and not self._answering.done()

    async def _take(self, message: Mapping[str, Any]) -> None:
        text = message.get("text")
        if text is None:
            await self._stop()
            await self._socket.close(UNSUPPORTED, "messages are JSON, as text")
            return
        try:
            wanted = _MESSAGE.validate_json(text)
        except ValidationError as error:
            await self._fail(_unread(error))
            return
        match wanted:
            case Cancel() if self._busy:
                await self._stop()
                await self._send("cancelled", {}, self._about)
            case Question() if self._busy:
                busy = Conflict("a question is being answered: wait, or cancel it", code="busy")
                await self._fail(problem_of(busy), wanted.id)
            case Question():
                self._about, self._asked_at = wanted.id, time.monotonic()
                self._answering = asyncio.create_task(self._answer(wanted))

    async def _stop(self) -> None:
        if self._answering:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)

    async def _answer(self, question: Question) -> None:
        begin_trace()
        with suppress(WebSocketDisconnect), self._app.metrics.active.track_inprogress():
            try:
                asked = question.as_query(caller(self._socket))
                async with aclosing(told(self._app, asked)) as events:
                    async for event in events:
                        await self._send(*_written(event), question.id)
            except RagError as error:
                await self._fail(problem_of(error), question.id)
            except WebSocketDisconnect:
                raise
            except Exception as error:  # noqa: BLE001  # the socket is open: told in-band
                await self._fail(unexpected(error), question.id)
        self._quiet_since = time.monotonic()

    async def _fail(self, said: dict[str, Any], about: str | None = None) -> None:
        self._app.metrics.errors.labels(said["code"]).inc()
        await self._send("error", said, about)

    async def _send(self, event: str, data: Any, about: str | None) -> None:
        known = {} if about is None else {"id": about}
        await self._socket.send_text(json.dumps({"event": event, **known, "data": data}))


def _written(event: Told) -> tuple[str, Any]:
    match event:
        case Sources():
            return "sources", _SOURCES.dump_python(event, mode="json")
        case Token():
            return "token", {"text": event.text}
        case Done():
            return "done", _ANSWER.dump_python(event.answer, mode="json")
        case Failure():
            return "error", event.problem


def _unread(error: ValidationError) -> dict[str, Any]:
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return problem(400, "invalid_json", "the message is not JSON")
    if not first["loc"]:
        return problem(422, "invalid_request", "type: it must be 'question' or 'cancel'")
    return invalid_request(first, skip=1)
