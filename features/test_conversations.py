"""Steps of conversations that are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_bdd import given, scenarios, then, when
from websockets.sync.client import connect

from features.world import World, named

scenarios("conversations.feature")


@pytest.fixture
def talk() -> dict[str, str]:
    return {}


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
    with connect(f"ws://{host}/v1/chat", open_timeout=30) as socket:
        asked = {"type": "question", "query": question, "workspace": world.workspace}
        socket.send(json.dumps({**asked, "history": history}))
        event: dict[str, Any] = {"event": ""}
        while event["event"] not in {"done", "error"}:
            event = json.loads(socket.recv(timeout=30))
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
