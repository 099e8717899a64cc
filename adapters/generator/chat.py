"""The chat completions protocol that OpenAI began: what is sent, and what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from adapters.generator.hearing import Hearing
from adapters.generator.refusing import refused
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.language import Completion

NONE: Final = "it does not answer with a completion"
UNSENT: Final = "its key, or a header, holds what no header may"
LAST: Final = b"[DONE]"
_MARK: Final = re.compile(
    r"<(?=[|｜][^|｜<>\n]{1,40}[|｜]>|/?s>|(?:bos|eos|pad|unk|(?:start|end)_of_turn)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)


def harmless(text: str) -> str:
    """The text, the marks by which models tell who speaks broken by a space.

    Servers read them in what documents say as if they stood there themselves.
    """
    return _MARK.sub(r"\g<0> ", text)


def messages(asked: Completion) -> list[dict[str, str]]:
    """What was said so far, as the protocol writes it."""
    return [{"role": one.role, "content": harmless(one.text)} for one in asked.messages]


def limits(asked: Completion, *, limit_field: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of the request; `extra` is laid over it, and what is None there is not sent."""
    told: dict[str, Any] = {
        limit_field: asked.max_tokens,
        "temperature": asked.temperature,
        "stream_options": {"include_usage": True},
    }
    if asked.stop:
        told["stop"] = list(asked.stop)
    if asked.schema is not None:
        schema = {"name": "answer", "schema": dict(asked.schema), "strict": True}
        told["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {name: value for name, value in {**told, **extra}.items() if value is not None}


def hear(hearing: Hearing, event: bytes) -> str | None:
    """The text of one event, which may be empty; None at the last one.

    Raises:
        ValidationError: when it is no chunk of a completion.
        RagError: when it is an error.
    """
    if event.startswith(LAST):
        return None
    chunk = _Chunk.model_validate_json(event)
    if chunk.error is not None:
        raise _error(hearing.server, chunk.error)
    if chunk.choices is None:
        raise Unavailable(hearing.server, NONE)
    if isinstance(chunk.usage, dict):
        hearing.cost(chunk.usage.get("prompt_tokens"), chunk.usage.get("completion_tokens"))
    said = ""
    for choice in chunk.choices:
        said += hearing.text(choice.delta.content or choice.delta.refusal)
        if choice.finish_reason:
            hearing.ended(choice.finish_reason)
    return said


def _error(server: str, told: Any) -> Exception:
    code = told.get("code") if isinstance(told, dict) else None
    return refused(server, code if isinstance(code, int) else 500, json.dumps(told))


class _Delta(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
