"""A service that listens, and what one scenario does with it as a client does."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from pytest_bdd import parsers

from adapters.embedder import pulling
from orchestrator.http.app import create_app
from orchestrator.http.serving import served
from orchestrator.settings import Settings, load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.wiring import Application

MODEL = Path(
    os.environ.get("RAG_TEST_MODEL")
    or Path(__file__).resolve().parents[1] / ".models" / pulling.NAME
)
PATIENCE_S = 90.0


@dataclass
class Service:
    """A service that listens, the application inside it, and how to ask it.

    With `variables` set, a `rag` in a process of its own is of the same deployment.
    """

    settings: Settings
    application: Application
    http: httpx.Client
    variables: Mapping[str, str]


Deploy = Callable[[Mapping[str, str]], Service]
"""Start a deployment with these variables set."""


@contextmanager
def settings_of(profile: str, data_dir: Path, variables: Mapping[str, str]) -> Iterator[Settings]:
    """What `rag serve` would read with exactly these variables set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if one.upper().startswith("RAG_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        placement = variables.get("RAG_WORKER__PLACEMENT", "inline")  # its stubs are the worker's
        worker = {"placement": placement}
        yield load(profile=profile, data_dir=data_dir, models=MODEL.parent, worker=worker)


@contextmanager
def serving(profile: str, data_dir: Path, variables: Mapping[str, str]) -> Iterator[Service]:
    """Serve on a free port of the loopback interface, as `rag serve` does, in a thread."""
    with settings_of(profile, data_dir, variables) as settings:
        app = create_app(settings, Metrics(CollectorRegistry()))
    config = served(app, settings)
    config.port, config.timeout_graceful_shutdown = 0, 5
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started or not thread.is_alive(), "the service did not start")
    assert server.started, "the service did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    places = {"RAG_DATA_DIR": str(data_dir), "RAG_MODELS": str(MODEL.parent)}
    chosen = {"RAG_PROFILE": profile, **places, **variables}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            yield Service(settings, app.state.application, client, chosen)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
    assert not thread.is_alive(), "the service did not stop"


def wait_for(condition: Callable[[], Any], complaint: str) -> Any:
    ends = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < ends, complaint
        time.sleep(0.02)
    return found


@dataclass
class World:
    """What one scenario has done so far; `workspace` is where it happens, `elsewhere` another.

    `texts` are what was uploaded by source id, `ids` the documents' by workspace and source id.
    """

    service: Service
    workspace: str = ""
    elsewhere: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    response: httpx.Response | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, Any]] = field(default_factory=list)
    noted: Any = None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        self.response = self.service.http.request(method, path, **options)
        return self.response

    def create(self, name: str | None = None, **config: Any) -> str:
        name = name or f"w-{uuid.uuid4().hex[:12]}"
        body = {"name": name, **({"config": config} if config else {})}
        response = self.request("POST", "/v1/workspaces", json=body)
        assert response.status_code == 201, response.text
        return name

    def ask(
        self, question: str, workspace: str = "", headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        body = {"query": question, "workspace": workspace or self.workspace, **more}
        response = self.request("POST", "/v1/query", json=body, headers=headers)
        self.before, self.answer, self.events = self.answer, {}, []
        if response.headers["content-type"].startswith("text/event-stream"):
            self.events = list(read_events(response.text))
            self.answer = dict(self.events).get("done", {})
        elif response.status_code == 200:
            self.answer = response.json()

    def search(self, query: str, workspace: str = "", **more: Any) -> None:
        body = {"query": query, "workspace": workspace or self.workspace, **more}
        self.request("POST", "/v1/search", json=body)

    def send(self, source_id: str, text: str, workspace: str = "", **fields: str) -> httpx.Response:
        workspace = workspace or self.workspace
        self.texts[source_id] = text
        response = self.request(
            "POST",
            "/v1/documents",
            files={"file": (source_id, text.encode())},
            data={"workspace": workspace, "source_id": source_id, **fields},
        )
        if response.status_code == 202:
            self.ids[workspace, source_id] = response.json()["id"]
        return response

    def upload(self, source_id: str, text: str, workspace: str = "", **fields: str) -> None:
        response = self.send(source_id, text, workspace, **fields)
        self.indexed(self.accepted(response))

    @staticmethod
    def accepted(response: httpx.Response) -> str:
        assert response.status_code == 202, response.text
        return response.headers["location"]

    def indexed(self, location: str) -> None:
        ended = self.follow(location)
        assert ended["status"] == "indexed", ended

    def follow(self, location: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            document = self.service.http.get(location).json()
            return document if document["status"] not in {"queued", "processing"} else None

        return wait_for(ended, f"{location} came to no end")

    def configured(self) -> dict[str, Any]:
        """The workspace with its configuration, and every version of that."""
        found: dict[str, Any] = self.service.http.get(f"/v1/workspaces/{self.workspace}").json()
        return found

    def listed(self, workspace: str = "") -> list[dict[str, Any]]:
        query = {"workspace": workspace or self.workspace}
        return self.service.http.get("/v1/documents", params=query).json()["documents"]


def read_events(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n", 1)
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def filter_of(condition: str) -> dict[str, Any]:
    """`a eq 1 and b eq 2`, `… or …` and `not …` in the filter grammar."""
    for word in ("and", "or"):
        if f" {word} " in condition:
            return {word: [filter_of(part) for part in condition.split(f" {word} ")]}
    if condition.startswith("not "):
        return {"not": filter_of(condition.removeprefix("not "))}
    name, op, value = condition.split(" ", 2)
    return {"field": name, "op": op, "value": json.loads(value)}


def named(pattern: str) -> parsers.re:
    """A step whose `{name}`s are words without quotes between them."""
    return parsers.re(re.sub(r"\{(\w+)\}", r'(?P<\1>[^"]*)', pattern))
