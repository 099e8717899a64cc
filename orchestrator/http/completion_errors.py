"""Problem documents in the shape of OpenAI's errors, where its clients ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

COMPLETION_PATHS: Final = ("/v1/chat/completions", "/v1/models")

_STATUS: Final = {415: 400, 422: 400}
"""What those clients know by another status."""
_FIELDS: Final = {"query": "messages", "workspace": "model"}
_CODES: Final = {"unknown_workspace": "model_not_found", "unknown_model": "model_not_found"}


def completion_status(problem: Mapping[str, Any]) -> int:
    """The status that OpenAI's clients know such a problem by."""
    status: int = problem["status"]
    return _STATUS.get(status, status)


def completion_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    """The problem as OpenAI's clients read it, with the trace id beside."""
    field = problem.get("field") or ""
    code = problem["code"]
    return {
        "error": {
            "message": problem["detail"],
            "type": _type(problem["status"]),
            "param": "model" if code == "unknown_workspace" else _FIELDS.get(field, field) or None,
            "code": _CODES.get(code, code),
            "trace_id": problem["trace_id"],
        }
    }


def _type(status: int) -> str:
    match status:
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _ if status >= 500:
            return "server_error"
    return "invalid_request_error"
