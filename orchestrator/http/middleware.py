"""What every request passes through: a trace id, a log line, and a limit on its body."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import structlog
from prometheus_client import Gauge
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.domain.context import begin_trace
from orchestrator.domain.errors import TooLarge
from orchestrator.http.problems import problem_of, respond

log = structlog.get_logger("orchestrator.access")

TRACE_HEADER: Final = b"x-trace-id"
STARTS: Final = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
SWITCHED: Final = 101
_TRACEPARENT: Final = re.compile(rb"[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}(?:-.*)?")
_NO_TRACE: Final = b"0" * 32


class TraceMiddleware:
    """Takes the trace id of a W3C `traceparent`, or makes one; gives it back as `X-Trace-Id`."""

    def __init__(self, app: ASGIApp, active: Gauge) -> None:
        self._app = app
        self._active = active

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request, and log one line when its response has ended, or its socket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        trace = begin_trace(_traced(scope["headers"])).encode()
        began, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] in STARTS:
                status = message.get("status", SWITCHED)
                message["headers"] = [*message.get("headers", ()), (TRACE_HEADER, trace)]
            await send(message)

        with self._counted(scope):
            try:
                await self._app(scope, receive, sending)
            finally:
                log.info(
                    "request" if scope["type"] == "http" else "socket",
                    method=scope.get("method", "GET"),
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - began) * 1e3, 2),
                )

    def _counted(self, scope: Scope) -> AbstractContextManager[object]:
        """A socket is in progress while it answers, which it knows itself."""
        return self._active.track_inprogress() if scope["type"] == "http" else nullcontext()


class BodyLimitMiddleware:
    """Refuses a body that is too large: by its announced length, else as soon as it has come.

    `limits` are those of single paths, for forms and for JSON; `limit` is that of all others.
    """

    def __init__(self, app: ASGIApp, limit: int, limits: Mapping[str, tuple[int, int]]) -> None:
        self._app = app
        self._limit = limit
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request, unless its body is too large."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        forms, json = self._limits.get(scope["path"], (self._limit, self._limit))
        limit = forms if _is_form(scope["headers"]) else json
        announced = next((v for name, v in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > limit:
            refused = TooLarge(f"the body is larger than {limit} bytes")
            closing = {"Connection": "close"}
            answer = respond(problem_of(refused), closing, path=scope["path"])
            await answer(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:  # an HTTPException, as the framework hides any other one
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        await self._app(scope, counted, send)


def _is_form(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(k == b"content-type" and v.startswith(b"multipart/") for k, v in headers)


def _traced(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            if found and found[1] != _NO_TRACE and not value.startswith(b"ff"):
                return found[1].decode()
    return None
