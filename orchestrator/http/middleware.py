"""What every request passes through: its trace id, its log line, and the count of those active."""

from __future__ import annotations

import re
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.domain.context import begin_trace
from orchestrator.http.problems import respond, unexpected
from orchestrator.telemetry.metrics import Metrics

log = structlog.get_logger("orchestrator.access")

TRACE_HEADER: Final = b"x-trace-id"
_TRACEPARENT: Final = re.compile(rb"[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}(?:-.*)?")
_NO_TRACE: Final = b"0" * 32


class TraceMiddleware:
    """Takes the trace id of a W3C `traceparent`, or makes one; gives it back as `X-Trace-Id`.

    What nobody else has caught becomes a problem document here, and a log line.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._active = metrics.active
        self._errors = metrics.errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request, and log one line when its response has ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trace = begin_trace(_traced(scope["headers"])).encode()
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (TRACE_HEADER, trace)]
            await send(message)

        self._active.inc()
        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001  # a defect: told to the caller and to the log
            self._errors.labels("internal").inc()
            body = unexpected(error)
            if not status:
                await respond(body)(scope, receive, sending)
        finally:
            self._active.dec()
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - began) * 1e3, 2),
            )


def _traced(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            if found and found[1] != _NO_TRACE and not value.startswith(b"ff"):
                return found[1].decode()
    return None
