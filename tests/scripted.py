"""What a scripted server of language models is asked, and what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

MODEL = "tiny"
WINDOW = 512
"""Tokens of prompt and answer together; more is refused."""
TOKENS = re.compile(r"\s?[A-Za-z]{1,6}|\s?[0-9]{1,3}|\s?[^\sA-Za-z0-9]|\s")


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """The text in pieces, as this server's models read and write it."""
    return tuple(TOKENS.findall(text))


@dataclass(frozen=True, slots=True)
class Script:
    """What is said to one request, and how.

    Each token is an event: `rate` of them a second, or all at once without; the first one after
    `wait_s`. `…_after` so many of them something goes wrong. Without a `reason` the answer just
    ends. `mute`, nothing is sent at all; `comments` come every so many seconds; `raw` is sent as it
    is instead of events.
    """

    text: str = "Refunds are paid within 7 days of purchase."
    rate: float | None = None
    wait_s: float = 0.0
    reason: str | None = "stop"
    usage: bool = True
    cut_after: int | None = None
    reset_after: int | None = None
    hang_after: int | None = None
    garbage_after: int | None = None
    error_after: int | None = None
    empty_choices: bool = False
    comments: float | None = None
    content_type: str = "text/event-stream"
    raw: str | None = None
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status instead of an answer."""

    status: int
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a completion."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    model: str
    messages: Sequence[Mapping[str, str]]
    limit: int
    stop: Sequence[str]
    schema: Mapping[str, Any] | None
    read: int


Answering = Callable[[Asked], Script | Refusal]


def told_back(asked: Asked) -> Script:
    """Says again what it was told last; JSON where a schema is asked for."""
    if asked.schema is not None:
        return Script(json.dumps(_instance(asked.schema)))
    last = asked.messages[-1]["content"].split("User:\n")[-1].removesuffix("\n\nAssistant:\n")
    return Script(f"You said: {last}")


def asked_in_chat(path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    shape = (body.get("response_format") or {}).get("json_schema") or {}
    stop = body.get("stop") or []
    return Asked(
        path=path,
        headers=headers,
        body=body,
        model=body["model"],
        messages=body["messages"],
        limit=body.get("max_tokens") or body.get("max_completion_tokens") or 64,
        stop=[stop] if isinstance(stop, str) else stop,
        schema=shape.get("schema"),
        read=sum(len(tokens(one["content"])) + 3 for one in body["messages"]),
    )


def asked_in_text(path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Asked:
    """As Triton's backends have it: choices of their own tensors, or all in one."""
    chosen = {**body, **json.loads(body.get("sampling_parameters", "{}"))}
    schema = json.loads(chosen.get("structured_outputs", "{}")).get("json")
    if guide := chosen.get("guided_decoding_guide"):
        schema = json.loads(guide)
    return Asked(
        path=path,
        headers=headers,
        body=body,
        model=path.split("/")[3],
        messages=[{"role": "user", "content": body["text_input"]}],
        limit=chosen.get("max_tokens", 16),
        stop=chosen.get("stop") or chosen.get("stop_words") or [],
        schema=schema,
        read=len(tokens(body["text_input"])),
    )


def cut(asked: Asked, script: Script) -> tuple[Sequence[str], str | None]:
    """The script's tokens as far as they were asked for, and why they end."""
    text = script.text
    for stop in asked.stop:
        text = text.split(stop)[0]
    said = tokens(text)
    if len(said) > asked.limit:
        return said[: asked.limit], script.reason and "length"
    return said, script.reason


def _instance(schema: Mapping[str, Any]) -> Any:
    """The least that a schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _instance(one) for name, one in schema.get("properties", {}).items()}
        case "array":
            return []
        case "integer" | "number":
            return 0
        case "boolean":
            return False
    return ""
