"""Errors as problem documents (RFC 9457): a stable `code`, and a sentence that helps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from orchestrator.domain import errors
from orchestrator.domain.context import trace_id
from orchestrator.http.completion_errors import (
    COMPLETION_PATHS,
    completion_error,
    completion_status,
)

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
JSON: Final = "application/json"

STATUS: Final[dict[type[errors.RagError], int]] = {
    errors.RagError: 500,
    errors.Unavailable: 503,
    errors.TimedOut: 504,
    errors.Exhausted: 429,
    errors.Rejected: 422,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.Misconfigured: 500,
}
"""The status of every class of error; a test proves that none is missing."""

TITLES: Final = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported content",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
    504: "Timed out",
}


class Problem(BaseModel):
    """An error. `code` is stable and for programs; `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    trace_id: str


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    field: str | None = None,
    retry_after: float | None = None,
) -> dict[str, Any]:
    """A problem document as a mapping; an absent field is left out."""
    body = Problem(
        title=TITLES.get(status, "Error"),
        status=status,
        code=code,
        detail=detail,
        field=field,
        trace_id=trace_id(),
    ).model_dump(exclude_none=True)
    if retry_after is not None:
        body["retry_after_s"] = retry_after
    return body


def problem_of(error: errors.RagError) -> dict[str, Any]:
    """The problem document of one of our own errors."""
    return problem(
        STATUS[type(error)],
        error.code,
        error.detail,
        field=error.field,
        retry_after=error.retry_after,
    )


def respond(
    body: dict[str, Any], headers: dict[str, str] | None = None, *, path: str = ""
) -> Response:
    """A problem document as a response, with `Retry-After` where waiting helps.

    At some paths it has the shape that their clients know.
    """
    headers = dict(headers or {})
    if "retry_after_s" in body:
        headers["Retry-After"] = str(math.ceil(body["retry_after_s"]))
    if path.startswith(COMPLETION_PATHS):
        status = completion_status(body)
        return Response(json.dumps(completion_error(body)), status, headers, media_type=JSON)
    return Response(json.dumps(body), body["status"], headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, counter: Counter) -> None:
    """Answer every error of the application with a problem document, and count it by code."""

    def answer(
        request: Request, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Response:
        counter.labels(body["code"]).inc()
        return respond(body, headers, path=request.url.path)

    @app.exception_handler(errors.RagError)
    async def ours(request: Request, error: errors.RagError) -> Response:
        if STATUS[type(error)] >= 500:  # server errors
            log.warning("request_failed", code=error.code, error=error.detail)
        return answer(request, problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer(request, invalid_request(error.errors()[0], skip=1))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = TITLES.get(error.status_code, "error").lower().replace(" ", "_")
        if error.status_code == 413:  # what the body limit raises
            code = errors.TooLarge.code
        body = problem(error.status_code, code, str(error.detail))
        return answer(request, body, dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # nobody reads it but the log

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        traced = {"X-Trace-Id": trace_id()}  # outside the middleware
        return answer(request, unexpected(error), traced)


def unexpected(error: Exception) -> dict[str, Any]:
    """The problem document of a defect: the cause goes to the log, never to the caller."""
    told = f"{type(error).__name__}: {error}"  # its repr may hold what was sent
    log.error("unexpected_error", error=told, exc_info=error)
    return problem(500, "internal", "the service met an unexpected error")


def invalid_request(first: Mapping[str, Any], *, skip: int = 0) -> dict[str, Any]:
    """The problem document of pydantic's first error, without so many parts of its place.

    A request's place begins with "body", "query" or "path".
    """
    place = [str(part) for part in first["loc"][skip:]]
    match first["type"]:
        case "json_invalid":
            reason = first.get("ctx", {}).get("error", "it cannot be read")
            return problem(400, "invalid_json", f"the body is not JSON: {reason}")
        case "missing" if not place:
            return problem(422, "empty_body", "the request has no body", field="body")
        case "extra_forbidden" | "unexpected_keyword_argument":
            return problem(
                422,
                "unknown_field",
                f"there is no field '{'.'.join(place)}'",
                field=".".join(place),
            )
    name = ".".join(place) or "body"
    message = str(first["msg"]).removeprefix("Value error, ")
    return problem(422, "invalid_request", f"{name}: {message}", field=name)
