"""The acceptance tests' world: a service for each profile, a client, and the steps all share."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from pytest_bdd import given, parsers, then, when

from adapters.embedder import pulling
from orchestrator.http.app import create_app
from orchestrator.settings import Settings, load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.wiring import Application

MODEL = Path(
    os.environ.get("RAG_TEST_MODEL")
    or Path(__file__).resolve().parents[1] / ".models" / pulling.NAME
)
PATIENCE_S = 30.0
SECRETS_OF_THE_INSIDE = ("Traceback", 'File "', ".py", "sqlite", "Error(", "Exception")


@dataclass
class Service:
    """A service that listens, the application inside it, and how to ask it."""

    settings: Settings
    application: Application
    http: httpx.Client


@contextmanager
def settings_of(profile: str, data_dir: Path, variables: Mapping[str, str]) -> Iterator[Settings]:
    """What `rag serve` would read with exactly these variables set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if one.upper().startswith("RAG_")]:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield load(profile=profile, data_dir=data_dir, models=MODEL.parent)


@contextmanager
def serving(profile: str, data_dir: Path, variables: Mapping[str, str]) -> Iterator[Service]:
    """Serve on a free port of the loopback interface, as `rag serve` does, in a thread."""
    with settings_of(profile, data_dir, variables) as settings:
        app = create_app(settings, Metrics(CollectorRegistry()))
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, ws="none", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started or not thread.is_alive(), "the service did not start")
    assert server.started, "the service did not start"
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            yield Service(settings, app.state.application, client)
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


@pytest.fixture(params=["mock", "local"], scope="session", autouse=True)
def profile(request: pytest.FixtureRequest) -> str:
    if request.param == "local" and not pulling.verified(MODEL):
        pulling.pull(MODEL, "auto")
    return request.param


@pytest.fixture(scope="session")
def shared(profile: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for every scenario that needs no special one; each has its own workspace."""
    with serving(profile, tmp_path_factory.mktemp(profile), {}) as service:
        yield service


@pytest.fixture
def deploy(profile: str, tmp_path: Path) -> Iterator[Callable[[Mapping[str, str]], Service]]:
    """Start a deployment with these variables; one before it, on the same data, is stopped."""
    with ExitStack() as stack:

        def started(variables: Mapping[str, str]) -> Service:
            stack.close()
            return stack.enter_context(serving(profile, tmp_path / "data", variables))

        yield started


@dataclass
class World:
    """What one scenario has done so far; `workspace` is where it happens."""

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

    def create(self, name: str | None = None) -> str:
        name = name or f"w-{uuid.uuid4().hex[:12]}"
        response = self.request("POST", "/v1/workspaces", json={"name": name})
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
            self.answer = self.events[-1][1]
        elif response.status_code == 200:
            self.answer = response.json()

    def search_words_where(self, query: str, condition: str) -> None:
        self.search(query, mode="keyword", filters=filter_of(condition))

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

    @staticmethod
    def metadata_of(document: dict[str, Any]) -> str:
        return json.dumps(document["metadata"])

    def follow(self, location: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            document = self.service.http.get(location).json()
            return document if document["status"] not in {"queued", "processing"} else None

        return wait_for(ended, f"{location} came to no end")

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


@pytest.fixture
def world(shared: Service) -> World:
    return World(shared)


def named(pattern: str) -> parsers.re:
    """A step whose `{name}`s are words without quotes between them."""
    return parsers.re(re.sub(r"\{(\w+)\}", r'(?P<\1>[^"]*)', pattern))


@given("a workspace with these documents")
def workspace_with(world: World, datatable: list[list[str]]) -> None:
    world.workspace = world.create()
    upload_all(world, world.workspace, datatable)


@given("another workspace with these documents")
def another_workspace_with(world: World, datatable: list[list[str]]) -> None:
    world.elsewhere = world.create()
    upload_all(world, world.elsewhere, datatable)


def upload_all(world: World, workspace: str, table: list[list[str]]) -> None:
    head, *rows = table
    locations = []
    for row in rows:
        fields = dict(zip(head, row, strict=True))
        source_id, text = fields.pop("source_id"), fields.pop("text").replace("\\n", "\n")
        metadata = {k: int(v) if v.isdigit() else v for k, v in fields.items()}
        response = world.send(source_id, text, workspace, metadata=json.dumps(metadata))
        locations.append(world.accepted(response))
    for location in locations:
        world.indexed(location)


@given("an empty workspace")
def empty_workspace(world: World) -> None:
    world.workspace = world.create()


@given(named('a deployment with "{variable}" set to "{value}"'))
def deployment_with(world: World, deploy: Any, variable: str, value: str) -> None:
    world.service = deploy({variable: value})


@when(named('I ask "{question}"'))
def ask(world: World, question: str) -> None:
    world.ask(question)


@when(named('I ask "{question}" there'))
def ask_there(world: World, question: str) -> None:
    world.ask(question, world.elsewhere)


@when(named('I ask "{question}" as a stream, by the {way}'))
def ask_streaming(world: World, question: str, way: str) -> None:
    if way == "Accept header":
        world.ask(question, headers={"Accept": "text/event-stream"})
    else:
        world.ask(question, stream=True)


@when(parsers.re(r'I ask "(?P<question>[^"]*)" where (?P<condition>.+)'))
def ask_where(world: World, question: str, condition: str) -> None:
    world.ask(question, filters=filter_of(condition))


@when(named('I search "{query}"'))
def search(world: World, query: str) -> None:
    world.search(query)


@when(named('I upload "{source_id}" saying "{text}"'))
def upload(world: World, source_id: str, text: str) -> None:
    world.upload(source_id, text.replace("\\n", "\n"))


@when(named('I delete "{source_id}"'))
def delete(world: World, source_id: str) -> None:
    world.request("DELETE", f"/v1/documents/{world.ids[world.workspace, source_id]}")
    assert world.response.status_code == 200, world.response.text


@when(parsers.re(r"I change the configuration: (?P<change>[^,]+)(?:, expecting version (?P<at>\d))?"))
def configure(world: World, change: str, at: str | None) -> None:
    known = world.service.http.get(f"/v1/workspaces/{world.workspace}").json()
    body = {
        "config": {**known["config"], **CHANGES[change]},
        "expected_version": int(at) if at else known["config_version"],
    }
    world.request("PUT", f"/v1/workspaces/{world.workspace}/config", json=body)


CHANGES = {
    "fusion by rrf": {"fusion": {"method": "rrf"}},
    "fusion by guessing": {"fusion": {"method": "guessing"}},
    "fusion without weights": {"fusion": {"dense": 0, "keyword": 0}},
    "chunks of 3 tokens": {"chunking": {"tokens": 3}},
    "chunks of 64 tokens": {"chunking": {"tokens": 64}},
    "a stray option": {"colour": "blue"},
    "generator template": {"generator": "template"},
    "generator defalt": {"generator": "defalt"},
    "cache forgetful": {"cache": "forgetful"},
    "retriever nothing-like-it": {"retriever": "nothing-like-it"},
}


@then(named('the answer says "{fact}"'))
def says(world: World, fact: str) -> None:
    assert world.answer, world.response.text
    assert world.answer["answerable"] is True, world.answer["answer"]
    assert fact in world.answer["answer"]


@then("the answer was made anew")
def made_anew(world: World) -> None:
    assert world.answer["meta"]["cache_hit"] is False


@then("the answer came from the cache")
def from_cache(world: World) -> None:
    assert world.answer["meta"]["cache_hit"] is True


@then("the answer is that the documents do not say")
def abstains(world: World) -> None:
    assert world.answer, world.response.text
    assert world.answer["answerable"] is False, world.answer["answer"]
    assert world.answer["answer"] == "The documents do not say."


@then(parsers.re(r"the answer has at most (?P<most>\d+) sources?"))
def at_most(world: World, most: str) -> None:
    assert len(world.answer["sources"]) <= int(most)


@then(named('the answer was made by the {stage} "{kind}"'))
def made_by(world: World, stage: str, kind: str) -> None:
    assert world.answer["meta"][stage] == kind


@then(named('the answer was given without "{dependency}"'))
def given_without(world: World, dependency: str) -> None:
    assert world.answer["meta"]["degraded"] == [dependency]


@then("the tokens together are the answer")
def tokens_are_the_answer(world: World) -> None:
    told = "".join(data["text"] for name, data in world.events if name == "token")
    assert told == world.answer["answer"]


@then(named('the first hit is "{source_id}"'))
def first_hit(world: World, source_id: str) -> None:
    assert world.response.status_code == 200, world.response.text
    assert world.response.json()["hits"][0]["source_id"] == source_id


@then(named('"{text}" appears nowhere'))
def appears_nowhere(world: World, text: str) -> None:
    assert world.response.status_code == 200, world.response.text
    assert text not in world.response.text


@then(named('the receipt says that "{store}" is pending'))
def receipt_pending(world: World, store: str) -> None:
    receipt = world.response.json()
    assert receipt["complete"] is False
    assert receipt["stores"][store].startswith("pending: ")


@then("the receipt says that every store is purged")
def receipt_complete(world: World) -> None:
    receipt = world.response.json()
    assert receipt["complete"] is True
    assert set(receipt["stores"]) >= {"catalog", "vectors", "keywords", "blobs", "cache"}
    assert set(receipt["stores"].values()) == {"purged"}


@then(named('the list does not hold "{source_id}"'))
def not_listed(world: World, source_id: str) -> None:
    assert source_id not in [one["source_id"] for one in world.listed()]


@then(parsers.re(r'the list holds "(?P<source_id>[^"]*)" once(?:, at version (?P<version>\d))?'))
def listed_once(world: World, source_id: str, version: str | None) -> None:
    found = [one for one in world.listed() if one["source_id"] == source_id]
    assert len(found) == 1
    assert version is None or found[0]["version"] == int(version)


@then(parsers.re(r'it is refused with (?P<status>\d+) and the code "(?P<code>[^"]*)"'))
def refused(world: World, status: str, code: str) -> None:
    response = world.response
    assert response.status_code == int(status), response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == int(status)
    assert problem["code"] == code
    assert problem["title"]
    assert problem["trace_id"] == response.headers["x-trace-id"]


@then(parsers.re(r"the reason mentions \"(?P<words>.+)\""))
def reason_mentions(world: World, words: str) -> None:
    assert words in world.response.json()["detail"]


@then("nothing of the program's inside is shown")
def nothing_inside(world: World) -> None:
    assert not [one for one in SECRETS_OF_THE_INSIDE if one in world.response.text]
