"""Steps of answering while a model server fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import Deploy, World, named, wait_for
from tests.completions import Completions, completions
from tests.scripted import MODEL, Script

scenarios("generation_resilience.feature")

WINDOW = 8_000
ANSWER = "Refunds are paid within 7 days of purchase. [1]"
OTHER = "Refunds are paid within 7 days of purchase, says the other model. [1]"


@pytest.fixture
def model() -> Iterator[Completions]:
    with completions(lambda _: Script(ANSWER)) as server:
        server.window = WINDOW
        yield server


@pytest.fixture
def other() -> Iterator[Completions]:
    with completions(lambda _: Script(OTHER)) as server:
        server.window = WINDOW
        yield server


def options(server: Completions, prefix: str = "GENERATOR", **more: str) -> dict[str, str]:
    chosen = {
        "KIND": "openai",
        "MODEL": MODEL,
        "BASE_URL": f"{server.url}/v1",
        "WINDOW": str(WINDOW),
        "BACKOFF_S": "0.01",
        "BREAKER_OPEN_S": "0.2",
        **more,
    }
    return {f"RAG_{prefix}__{name}": value for name, value in chosen.items()}


@given("a language model behind the service")
def one_model(world: World, deploy: Deploy, model: Completions) -> None:
    world.service = deploy(options(model, PRICE_IN="1", PRICE_OUT="2"))


@given("a language model behind the service that falls back to another")
def two_models(world: World, deploy: Deploy, model: Completions, other: Completions) -> None:
    second = options(other, "GENERATORS__SECOND", KIND="vllm", BASE_URL=other.url)
    world.service = deploy({**options(model, FALLBACK="second"), **second})


@given("a language model behind the service that answers one at a time, with no last resort")
def narrow_model(world: World, deploy: Deploy, model: Completions) -> None:
    world.service = deploy(options(model, PARALLEL="1", QUEUED="0", LAST_RESORT="false"))


@when("the model server goes down")
def goes_down(model: Completions) -> None:
    model.kill()


@when("the model server is up again")
def up_again(model: Completions) -> None:
    model.start()


@when("the model breaks off after its first words")
def breaks_off(model: Completions) -> None:
    model.answer = lambda _: Script(ANSWER, cut_after=6)


@when(parsers.parse('the model\'s answers end by "{reason}"'))
def ends_by(model: Completions, reason: str) -> None:
    model.answer = lambda _: Script(ANSWER, reason=reason)


@when("somebody else is being answered")
def another_reader(world: World, model: Completions, request: pytest.FixtureRequest) -> None:
    model.answer = lambda _: Script("Refunds are paid. " * 500, rate=5.0)
    body = {"query": "Who pays refunds?", "workspace": world.workspace, "stream": True}
    left = threading.Event()

    def read() -> None:
        client = httpx.Client(base_url=world.service.http.base_url, timeout=60)
        with client, client.stream("POST", "/v1/query", json=body) as response:
            for _ in response.iter_bytes():
                if left.is_set():
                    return

    reader = threading.Thread(target=read)
    reader.start()
    request.addfinalizer(reader.join)
    request.addfinalizer(left.set)
    wait_for(lambda: model.open == 1, "nobody is being answered")


@when(named('I ask "{question}" at once'))
def ask_at_once(world: World, question: str) -> None:
    world.ask(question)


@then("the answer says what its tokens cost")
def cost(world: World) -> None:
    usage = world.answer["meta"]["usage"]
    assert usage["model"] == MODEL
    paid = (usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1e6
    assert usage["cost"] == pytest.approx(paid)
    assert paid > 0


@then(parsers.parse('the answer ended by "{reason}"'))
def ended_by(world: World, reason: str) -> None:
    assert world.answer["meta"]["finish_reason"] == reason


@then(parsers.parse('a completion ends by "{reason}", and so does its stream'))
def completion_ends_by(world: World, reason: str) -> None:
    said = [{"role": "user", "content": "When are refunds paid?"}]
    body = {"model": world.workspace, "messages": said}
    whole = world.request("POST", "/v1/chat/completions", json=body).json()
    stream = world.request("POST", "/v1/chat/completions", json={**body, "stream": True}).text
    *chunks, end = [line.removeprefix("data: ") for line in stream.split("\n\n") if line]
    ends = [json.loads(one)["choices"][0]["finish_reason"] for one in chunks]
    assert whole["choices"][0]["finish_reason"] == reason
    assert whole["choices"][0]["message"]["content"] == ANSWER
    assert (set(ends[:-1]), ends[-1], end) == ({None}, reason, "[DONE]")


@then(parsers.parse('the service lacks "{dependency}" after a few questions'))
def lacks(world: World, dependency: str) -> None:
    def named() -> bool:
        world.ask("When are refunds paid?")
        assert world.answer["meta"]["generator"] == "extractive"
        return world.request("GET", "/health/ready").json()["down"] == [dependency]

    wait_for(named, "the breaker did not open")
    assert world.request("GET", "/health/ready").status_code == 200


@then("the model answers again by itself, and the service lacks nothing")
def answers_again(world: World) -> None:
    def answers() -> bool:
        world.ask("When are refunds paid, please?")
        return world.answer["meta"]["generator"] == "openai"

    wait_for(answers, "the breaker did not close")
    assert world.answer["meta"]["degraded"] == []
    assert world.request("GET", "/health").json()["down"] == []


@then(parsers.parse('the events are sources, the first words, and an error with the code "{code}"'))
def error_event(world: World, code: str) -> None:
    names = [name for name, _ in world.events]
    assert names == ["sources", *["token"] * (len(names) - 2), "error"]
    assert len(names) > 2
    said = "".join(data["text"] for name, data in world.events if name == "token")
    assert ANSWER.startswith(said)
    assert world.events[-1][1]["code"] == code
