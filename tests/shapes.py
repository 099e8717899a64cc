"""How each protocol of language models writes a stream."""

from __future__ import annotations

import json
from typing import Any

from tests.scripted import Asked


class ChatShape:
    def __init__(self, asked: Asked) -> None:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
        self._head = json.dumps({**head, "model": asked.model})[:-1].encode()
        self._read = asked.read
        self._tells = bool((asked.body.get("stream_options") or {}).get("include_usage"))

    def _choice(self, delta: bytes, reason: str | None = None) -> bytes:
        why = json.dumps(reason).encode()
        return b'data: %b, "choices": [{"index": 0, "delta": %b, "finish_reason": %b}]}\n\n' % (
            self._head, delta, why,
        )  # fmt: skip

    def opening(self) -> bytes:
        return self._choice(b'{"role": "assistant", "content": ""}')

    def piece(self, text: str) -> bytes:
        return self._choice(b'{"content": %b}' % json.dumps(text).encode())

    def empty(self) -> bytes:
        return b'data: %b, "choices": []}\n\n' % self._head

    def ending(self, reason: str | None, written: int, *, usage: bool) -> bytes:
        told = self._choice(b"{}", reason) if reason else b""
        if usage and self._tells:
            paid = json.dumps(cost(self._read, written)).encode()
            told += b'data: %b, "choices": [], "usage": %b}\n\n' % (self._head, paid)
        return told + b"data: [DONE]\n\n"


class TritonShape:
    def __init__(self, asked: Asked) -> None:
        self._name = asked.model
        self._read = asked.read
        self._tells = "sampling_parameters" in asked.body

    def _event(self, text: str, reason: str = "None", *, usage: int | None = None) -> bytes:
        told: dict[str, Any] = {"model_name": self._name, "model_version": "1", "text_output": text}
        if self._tells:
            told["finish_reason"] = reason
        if self._tells and usage is not None:
            told |= {"num_input_tokens": self._read, "num_output_tokens": usage}
        return b"data: %b\n\n" % json.dumps(told).encode()

    def opening(self) -> bytes:
        return b""

    def piece(self, text: str) -> bytes:
        return self._event(text, usage=None)

    def empty(self) -> bytes:
        return self._event("")

    def ending(self, reason: str | None, written: int, *, usage: bool) -> bytes:
        if not self._tells or not reason:
            return b""
        return self._event("", reason, usage=written if usage else None)


def cost(read: int, written: int) -> dict[str, int]:
    total = read + written
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}
