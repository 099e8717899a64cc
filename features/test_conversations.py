"""Steps of conversations that are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when
from websockets.sync.client import connect

from features.world import Service, World, filter_of, named, serving
from orchestrator.ports.language import Completion, Message
from tests.completions import Completions, completions
from tests.obedient import Obedient
from tests.scripted import MODEL, Asked, Script

scenarios("conversations.feature")


WINDOW = 8_000
READER = "You rewrite the last question of a conversation"
SAID = "Q: How fast are refunds paid?"


@pytest.fixture(scope="module")
def model() -> Iterator[Completions]:
    with completions(reading) as server:
        server.window = WINDOW
        yield server


@pytest.fixture(scope="module")
def asking(
    profile: str, model: Completions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    chosen = {"KIND": "openai", "MODEL": MODEL, "BASE_URL": f"{model.url}/v1", "WINDOW": WINDOW}
    variables = {f"RAG_GENERATOR__{name}": str(value) for name, value in chosen.items()}
    with serving(profile, tmp_path_factory.mktemp(profile), variables) as service:
        yield service


def reading(asked: Asked) -> Script:
    messages = tuple(Message(one["role"], one["content"]) for one in asked.messages)
    if messages[0].text.startswith(READER):
        known = SAID in messages[1].text
        return Script("Who approves refunds above 500 EUR?" if known else "Nothing was said?")
    return Script(Obedient(lenient=True).answer(Completion(messages, asked.limit)))


@pytest.fixture
def talk() -> dict[str, str]:
    return {}


@given("a language model that reads what was said before")
def language_model(world: World, asking: Service, model: Completions) -> None:
    world.service = asking
    model.asked.clear()


@given("a session")
def begin(world: World, talk: dict[str, str]) -> None:
    made = world.request(
        "POST", "/v1/sessions", json={"workspace": world.workspace, "title": "Ours"}
    )
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/sessions/{made.json()['id']}"
    talk["id"] = made.json()["id"]


def messages(world: World, talk: dict[str, str]) -> list[dict[str, Any]]:
    """All of them, read a question at a time."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"limit": 1}
    while True:
        read = world.service.http.get(f"/v1/sessions/{talk['id']}", params=page).json()
        found = read["messages"] + found
        if read["before"] is None:
            return found
        page["before"] = read["before"]


@when(named('I ask "{question}" in the session'))
def ask_in(world: World, talk: dict[str, str], question: str) -> None:
    world.ask(question, session=talk["id"])


@when(parsers.re(r'I ask "(?P<question>[^"]*)" in the session where (?P<condition>.+)'))
def ask_where_in(world: World, talk: dict[str, str], question: str, condition: str) -> None:
    world.ask(question, session=talk["id"], filters=filter_of(condition))


@when(named('I ask "{question}" in the session as a stream'))
def ask_streaming_in(world: World, talk: dict[str, str], question: str) -> None:
    world.ask(question, session=talk["id"], stream=True)
    assert world.answer, world.events


@when(named('I ask "{question}" there in the session'))
def ask_there_in(world: World, talk: dict[str, str], question: str) -> None:
    world.ask(question, world.elsewhere, session=talk["id"])


@when("I delete the session")
def delete(world: World, talk: dict[str, str]) -> None:
    assert world.request("DELETE", f"/v1/sessions/{talk['id']}").status_code == 204


@when("I delete its workspace")
def delete_workspace(world: World) -> None:
    assert world.request("DELETE", f"/v1/workspaces/{world.workspace}").status_code == 204


@when(named('a socket asks "{question}" after "{earlier}"'))
def ask_socket(world: World, question: str, earlier: str) -> None:
    host = str(world.service.http.base_url).removeprefix("http://").rstrip("/")
    history = [{"role": "user", "text": earlier}]
    with connect(f"ws://{host}/v1/chat", open_timeout=90) as socket:
        asked = {"type": "question", "query": question, "workspace": world.workspace}
        socket.send(json.dumps({**asked, "history": history}))
        event: dict[str, Any] = {"event": ""}
        while event["event"] not in {"done", "error"}:
            event = json.loads(socket.recv(timeout=90))
    assert event["event"] == "done", event
    world.answer = event["data"]


@then(named('it was searched as "{text}"'))
def searched_as(world: World, text: str) -> None:
    understood = world.answer["meta"]["query"]
    assert understood["text_searched"] == text
    assert understood["follow_up"]["standalone"] == text


@then(named('"{text}" is not in the answer'))
def not_in_answer(world: World, text: str) -> None:
    assert text not in json.dumps(world.answer)


@then("the session holds these questions")
def holds(world: World, talk: dict[str, str], datatable: list[list[str]]) -> None:
    said = messages(world, talk)
    assert [one["text"] for one in said if one["role"] == "user"] == [row[0] for row in datatable]
    assert [one["role"] for one in said] == ["user", "assistant"] * len(datatable)


@then(named('its last answer says "{fact}"'))
def last_says(world: World, talk: dict[str, str], fact: str) -> None:
    last = messages(world, talk)[-1]
    assert fact in last["text"]
    assert [one["chunk_id"] for one in last["sources"]] == [
        one["chunk_id"] for one in world.answer["sources"]
    ]


@then("its list holds the session")
def listed(world: World, talk: dict[str, str]) -> None:
    query = {"workspace": world.workspace}
    found = world.service.http.get("/v1/sessions", params=query).json()
    assert [one["id"] for one in found["sessions"]] == [talk["id"]]


@then(named('"{text}" is nowhere in the session'))
def nowhere_in(world: World, talk: dict[str, str], text: str) -> None:
    said = messages(world, talk)
    assert [one["role"] for one in said] == ["user", "assistant"]
    assert text not in json.dumps(said)
    assert said[-1]["text"] is None


@then("the session is not found")
def not_found(world: World, talk: dict[str, str]) -> None:
    response = world.request("GET", f"/v1/sessions/{talk['id']}")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_session")


@then("the model was told what was said, and answered without it")
def told_and_not(model: Completions) -> None:
    contents = ["\n".join(one["content"] for one in asked.messages) for asked in model.asked]
    readers = [one for one in contents if one.startswith(READER)]
    assert len(readers) == 1
    assert SAID in readers[0]
    assert "A: Refunds are paid within 7 days" in readers[0]
    assert not any(SAID in one for one in contents if one not in readers)


@then("no answer in the session has its text")
def no_answers(world: World, talk: dict[str, str]) -> None:
    said = messages(world, talk)
    assert [one["role"] for one in said] == ["user", "assistant"] * 2
    assert [one["text"] for one in said if one["role"] == "assistant"] == [None, None]
