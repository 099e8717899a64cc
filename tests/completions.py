"""A server of language models on the loopback interface: it answers as scripted, or misbehaves.

It speaks OpenAI's chat completions, vLLM's additions to them, and Triton's `generate_stream`, and
holds thousands of streams. `python -m tests.completions --help` runs it in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import httptools
import uvloop

from tests.scripted import (
    MODEL,
    WINDOW,
    Answering,
    Asked,
    Refusal,
    Script,
    asked_in_chat,
    asked_in_text,
    cut,
    tokens,
    told_back,
)
from tests.shapes import ChatShape, TritonShape, cost

__all__ = [
    "MODEL",
    "WINDOW",
    "Asked",
    "Completions",
    "Refusal",
    "Script",
    "completions",
    "tokens",
    "told_back",
]


class Completions:
    """The server, its script and its counts; `key` is what it wants to be shown.

    `asked` are the last requests, while `keeps`; `cancelled` are streams whose client went away.
    """

    def __init__(self, answer: Answering = told_back, *, port: int = 0) -> None:
        self.answer = answer
        self.port = port
        self.key: str | None = None
        self.models: tuple[str, ...] = (MODEL,)
        self.window = WINDOW
        self.ready = True
        self.keeps = True
        self.asked: list[Asked] = []
        self.requests = 0
        self.tokenized = 0
        self.open = 0
        self.most = 0
        self.cancelled = 0
        self.finished = 0
        self.connections: set[_Connection] = set()
        self.connected = 0
        self._loop = uvloop.new_event_loop()
        self._listening: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def counts(self) -> dict[str, int]:
        """All counts at this moment."""
        names = ("requests", "open", "most", "cancelled", "finished", "connected", "tokenized")
        return {**{one: getattr(self, one) for one in names}, "held": len(self.connections)}

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._do(self._start())

    def kill(self) -> None:
        """Stop listening, and reset every connection."""
        self._do(self._kill())

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=4096, reuse_address=True
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _kill(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for connection in list(self.connections):
            connection.transport.abort()

    def run(self) -> None:
        """Serve on this thread until `end`."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def end(self) -> None:
        """Stop for good."""
        self._do(self._kill())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def understood(
        self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> Script | Refusal | tuple[Asked, Script]:
        """What to say to a request, or why nothing."""
        read = asked_in_chat if path.startswith("/v1") else asked_in_text
        asked = read(path, headers, body)
        self.requests += 1
        if self.keeps:
            self.asked.append(asked)
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return Refusal(401, _error(f"wrong key: {headers.get('authorization')}", "invalid_key"))
        if asked.model not in self.models:
            return Refusal(404, _error(f"Request for unknown model: '{asked.model}'", "not_found"))
        if asked.read + asked.limit > self.window:
            message = f"This model's maximum context length is {self.window} tokens"
            return Refusal(400, _error(message, "context_length_exceeded"))
        said = self.answer(asked)
        return said if isinstance(said, Refusal) else (asked, said)


@contextmanager
def completions(answer: Answering = told_back, *, port: int = 0) -> Iterator[Completions]:
    """Serve on a thread of its own, until the block ends."""
    server = Completions(answer, port=port)
    thread = threading.Thread(target=server.run, name="completions")
    thread.start()
    try:
        server.start()
        yield server
    finally:
        server.end()
        thread.join()


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code}}


class _Stream:
    """One answer that is being told."""

    def __init__(self, connection: _Connection, asked: Asked, script: Script) -> None:
        self._connection = connection
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._shape = ChatShape(asked) if asked.path.startswith("/v1") else TritonShape(asked)
        self._pieces, self._reason = cut(asked, script)
        self._said = 0
        self._began = self._loop.time() + script.wait_s
        self._timer: asyncio.Handle | None = None

    def begin(self) -> None:
        if self._script.mute:
            return
        kind = self._script.content_type
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        self._connection.transport.write(head.encode())
        if self._script.comments:
            self._comment()
        self._timer = self._loop.call_later(self._script.wait_s, self._open)

    def stop(self) -> None:
        self._script = Script()
        if self._timer is not None:
            self._timer.cancel()

    def go_on(self) -> None:
        """Say what is due, then come again when the next token is."""
        rate = self._script.rate
        while not self._connection.paused:
            if self._broken():
                return
            if self._said == len(self._pieces):
                self._end()
                return
            if rate and (due := self._began + self._said / rate) > self._loop.time():
                self._timer = self._loop.call_at(due, self.go_on)
                return
            if self._script.empty_choices:
                self._send(self._shape.empty())
            self._send(self._shape.piece(self._pieces[self._said]))
            self._said += 1

    def _open(self) -> None:
        if self._script.raw is not None:
            self._send(self._script.raw.encode())
            self._script = Script()
            self._connection.ended()
            return
        self._send(self._shape.opening())
        self.go_on()

    def _broken(self) -> bool:
        script = self._script
        match self._said:
            case script.cut_after:
                self._connection.drop()
            case script.reset_after:
                self._connection.transport.abort()
            case script.hang_after:
                pass
            case script.garbage_after:
                self._send(b'data: {"choices": [{"delta": {"con\n\n')
            case script.error_after:
                self._send(b'data: {"error": {"message": "hunter2 is out of memory"}}\n\n')
            case _:
                return False
        return True

    def _comment(self) -> None:
        if self._script.comments:
            self._send(b": still here\n\n")
            self._loop.call_later(self._script.comments, self._comment)

    def _end(self) -> None:
        self._send(self._shape.ending(self._reason, len(self._pieces), usage=self._script.usage))
        self._script = Script()
        self._connection.ended()

    def _send(self, event: bytes) -> None:
        if event:
            self._connection.transport.write(b"%x\r\n%b\r\n" % (len(event), event))


class _Connection(asyncio.Protocol):
    """One client, whose requests come one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: Completions) -> None:
        self.paused = False
        self._server = server
        self._stream: _Stream | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._server.connections.add(self)
        self._server.connected += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._stream is not None:
            self._stream.stop()
            self._stream = None
            self._server.open -= 1
            self._server.cancelled += 1

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._stream is not None:
            self._stream.go_on()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        path = self._url.decode().split("?")[0]
        content = b"".join(self._body)
        body = json.loads(content) if content else {}
        if path.endswith(("/chat/completions", "/generate_stream")):
            self._complete(path, body)
        else:
            self._reply(*self._told(path, body))

    def ended(self) -> None:
        """The stream was told to its end."""
        self._stream = None
        self._server.open -= 1
        self._server.finished += 1
        self.transport.write(b"0\r\n\r\n")

    def drop(self) -> None:
        """End the connection in the middle, once what was said has gone out."""
        self._stream = None
        self._server.open -= 1
        self.transport.close()

    def _complete(self, path: str, body: Mapping[str, Any]) -> None:
        found = self._server.understood(path, self._headers, body)
        if isinstance(found, Refusal):
            self._reply(found.status, found.body, found.headers)
            return
        asked, script = found
        if path.startswith("/v1") and not body.get("stream"):
            asyncio.get_running_loop().call_later(script.wait_s, self._whole, asked, script)
            return
        self._server.open += 1
        self._server.most = max(self._server.most, self._server.open)
        self._stream = _Stream(self, asked, script)
        self._stream.begin()

    def _whole(self, asked: Asked, script: Script) -> None:
        said, reason = cut(asked, script)
        message = {"role": "assistant", "content": "".join(said)}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked.model}
        self._reply(200, {**head, "choices": [choice], "usage": cost(asked.read, len(said))})

    def _told(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        server = self._server
        if path == "/health" or path.endswith("/ready"):
            there = path.split("/")[3] in ("ready", *server.models) if "/v2/" in path else True
            return (200 if server.ready and there else 503), {}
        match path:
            case "/v1/models":
                cards = [
                    {"id": one, "object": "model", "created": 1, "max_model_len": server.window}
                    for one in server.models
                ]
                return 200, {"object": "list", "data": cards}
            case "/tokenize":
                server.tokenized += 1
                count = len(tokens(body["prompt"]))
                return 200, {"count": count, "max_model_len": server.window, "tokens": [0] * count}
            case "/counts":
                return 200, server.counts
            case "/script":
                server.answer = lambda _: Script(**body)
                return 200, {}
        return 404, _error("no such address", "not_found")

    def _reply(self, status: int, told: Any, headers: Mapping[str, str] | None = None) -> None:
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        lines = {"content-type": "application/json", **(headers or {})}
        more = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        head = f"HTTP/1.1 {status} Told\r\n{more}content-length: {len(content)}\r\n\r\n"
        self.transport.write(head.encode() + content)


def main() -> None:
    """Serve in this process, every answer by the same script; the address goes to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    for one in fields(Script):
        kind = {"text": str, "reason": str, "content_type": str, "rate": float, "wait_s": float}
        if one.name in kind:
            parser.add_argument(f"--{one.name}", type=kind[one.name])
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    port = given.pop("port")
    with completions(lambda _: Script(**given), port=port) as server:
        server.keeps = False
        server.window = 1_000_000
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
