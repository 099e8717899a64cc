"""A server of models on the loopback interface: it embeds and judges by words, or misbehaves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from adapters.analysis import terms
from adapters.embedder.mock import hashed

Reply = tuple[int, Any]
"""A status, and a body: JSON, or bytes as they are."""
LONGEST = 512
"""Words that it reads of one text; more is refused."""


class ModelServer:
    """Answers `/v1/embeddings` and `/rerank`; `instead` may change each body that it would give.

    `asked` are the requests' bodies and `headers` their headers; `busy` is the most at once.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.instead: Callable[[Any], Reply | Any] = lambda body: body
        self.words = lambda text: text.split()
        self.wait_s = 0.0
        self.busy = 0
        self._now = 0
        self._lock = threading.Lock()

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self._lock:
            self.asked.append(body)
            self.headers.append(headers)
            self._now += 1
            self.busy = max(self.busy, self._now)
        time.sleep(self.wait_s)
        status, given = self._embed(body) if path == "/v1/embeddings" else self._judge(body)
        told = self.instead(given)
        with self._lock:
            self._now -= 1
        return told if isinstance(told, tuple) else (status, told)

    def _embed(self, body: dict[str, Any]) -> Reply:
        if not all(text and len(self.words(text)) <= LONGEST for text in body["input"]):
            return 400, {"error": {"message": f"the input is empty or too long: {body['input']}"}}
        size = body.get("dimensions", 256)
        data = [
            {"object": "embedding", "index": at, "embedding": (hashed(text)[:size] * 3).tolist()}
            for at, text in enumerate(body["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return 200, {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}

    def _judge(self, body: dict[str, Any]) -> Reply:
        wanted = set(terms(body["query"]))
        scores = [
            len(wanted & set(terms(text))) / (len(wanted) or 1)
            for text in body.get("documents") or body["texts"]
        ]
        name = "relevance_score" if "documents" in body else "score"
        order = np.argsort(scores)[::-1].tolist()
        results = [{"index": at, name: scores[at]} for at in order]
        return 200, {"results": results} if "documents" in body else results


@contextmanager
def model_server(port: int = 0) -> Iterator[ModelServer]:
    """Serve on a free port, or on this one, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = server.answer(self.path, body, headers)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    class Threads(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that hung up is no error of the server."""

        allow_reuse_address = True

    with Threads(("127.0.0.1", port), Handler) as http:
        server = ModelServer(f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
