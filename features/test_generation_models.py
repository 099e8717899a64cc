"""Steps of choosing models: who answers, who rewrites, and who judges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.conftest import upload_all
from features.world import Service, World, named, serving
from tests.completions import Completions, completions
from tests.scripted import Asked, Script

scenarios("generation_models.feature")

WINDOW = 8_000
REWRITES = {
    "You rewrite the last question": "Who approves refunds above 500 EUR?",
    "You write a short passage": "Refunds are approved by somebody.",
}
"""How prompts of the small work begin, and what is said to them."""


class Models:
    """Two servers, and how well the small one thinks that sentences are supported."""

    def __init__(self, large: Completions, small: Completions) -> None:
        self.large, self.small, self.support = large, small, 8
        large.answer, small.answer = self._large, self._small

    def forget(self) -> None:
        self.support = 8
        for server in (self.large, self.small):
            server.asked.clear()

    def _large(self, asked: Asked) -> Script:
        return _said(asked, "large", 10)

    def _small(self, asked: Asked) -> Script:
        return _said(asked, "small", self.support)


def _said(asked: Asked, who: str, support: int) -> Script:
    if asked.schema is not None:
        return Script(json.dumps({"support": support}))
    task = asked.messages[0]["content"]
    for beginning, text in REWRITES.items():
        if task.startswith(beginning):
            return Script(text)
    return Script(f"Refunds are paid within 7 days of purchase, says the {who} one. [1]")


@pytest.fixture(scope="module")
def both() -> Iterator[Models]:
    with completions() as large, completions() as small:
        for server, name in ((large, "large-1"), (small, "small-1")):
            server.models, server.window = (name,), WINDOW
        yield Models(large, small)


@pytest.fixture(scope="module")
def asking(
    profile: str, both: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    variables = {}
    servers = {"GENERATOR": both.large, "GENERATORS__SMALL": both.small}
    for prefix, server in servers.items():
        chosen = {"KIND": "openai", "MODEL": server.models[0], "BASE_URL": f"{server.url}/v1"}
        options = {**chosen, "WINDOW": WINDOW}
        variables |= {f"RAG_{prefix}__{name}": str(value) for name, value in options.items()}
    with serving(profile, tmp_path_factory.mktemp(profile), variables) as service:
        yield service


@given("a large and a small language model behind the service")
def two_models(world: World, asking: Service, both: Models) -> None:
    world.service = asking
    both.forget()


def with_documents(world: World, table: list[list[str]], **config: Any) -> None:
    world.workspace = world.create(**config)
    upload_all(world, world.workspace, table)


@given("a workspace that allows the small model, with these documents")
def allows_small(world: World, datatable: list[list[str]]) -> None:
    with_documents(world, datatable, models={"allowed": ["small"]})


@given("a workspace whose questions the small model rewrites, with these documents")
def small_rewrites(world: World, datatable: list[list[str]]) -> None:
    how = {"models": {"rewriting": "small"}, "understanding": {"imagined": True}}
    with_documents(world, datatable, **how)


@given("a workspace whose answers both models judge, with these documents")
def both_judge(world: World, datatable: list[list[str]]) -> None:
    how = {"policy": "remove", "verifier": "model", "models": ["default", "small"]}
    with_documents(world, datatable, grounding=how)


@when(named('I ask "{question}" of the model "{model}"'))
def ask_model(world: World, question: str, model: str) -> None:
    world.ask(question, model=model)


@when(named('I ask "{first}" and then "{second}"'))
def ask_both(world: World, first: str, second: str) -> None:
    begun = world.request("POST", "/v1/sessions", json={"workspace": world.workspace})
    for question in (first, second):
        world.ask(question, session=begun.json()["id"])


@when("a client of OpenAI's API lists the models")
def list_models(world: World) -> None:
    world.noted = [one["id"] for one in world.request("GET", "/v1/models").json()["data"]]


@when(named('a client of OpenAI\'s API asks the workspace\'s "{model}" "{question}"'))
def ask_as_client(world: World, model: str, question: str) -> None:
    said = [{"role": "user", "content": question}]
    body = {"model": f"{world.workspace}/{model}", "messages": said}
    world.noted = world.request("POST", "/v1/chat/completions", json=body).json()


@when("the small model does not think that it is supported")
def small_doubts(both: Models) -> None:
    both.support = 1


@then(named('the answer was made by the model "{model}", which the server calls "{called}"'))
def made_by(world: World, model: str, called: str) -> None:
    meta = world.answer["meta"]
    assert (meta["model"], meta["usage"]["model"]) == (model, called)


@then(named('the workspace is listed alone, with "{one}" and with "{other}"'))
def listed(world: World, one: str, other: str) -> None:
    own = [name for name in world.noted if name.partition("/")[0] == world.workspace]
    assert own == [world.workspace, f"{world.workspace}/{one}", f"{world.workspace}/{other}"]


@then(named('its completion says "{fact}"'))
def completed(world: World, fact: str) -> None:
    assert fact in world.noted["choices"][0]["message"]["content"]
    assert world.noted["rag"]["meta"]["model"] == "small"


@then(parsers.parse('it is refused as OpenAI would with {status:d} and the code "{code}"'))
def refused(world: World, status: int, code: str) -> None:
    assert world.response is not None
    assert (world.response.status_code, world.noted["error"]["code"]) == (status, code)


def tasks(server: Completions) -> list[str]:
    """What a server was asked to do, in order: answering is any but the rewriting."""
    return [
        next((one for one in REWRITES if one in asked.messages[0]["content"]), "answer")
        for asked in server.asked
    ]


@then("the small model has made the question whole, and imagined an answer to each")
def small_work(both: Models) -> None:
    whole, imagined = REWRITES
    assert tasks(both.small) == [imagined, whole, imagined]


@then("the large model has answered twice, and done nothing else")
def large_work(both: Models) -> None:
    assert tasks(both.large) == ["answer", "answer"]


@then("the metrics tell what answering and rewriting took")
def purposes(world: World) -> None:
    metrics = world.request("GET", "/metrics").text
    for model, purpose in (("large-1", "answer"), ("small-1", "rewrite")):
        labels = f'direction="completion",model="{model}",purpose="{purpose}"'
        assert f"rag_generation_tokens_total{{{labels}}}" in metrics


@then(parsers.parse("its only sentence is supported with {score:g}"))
def only_sentence(world: World, score: float) -> None:
    (one,) = world.answer["meta"]["grounding"]["sentences"]
    assert (one["score"], one["supported"]) == (score, True)


@then("its only sentence was withheld")
def withheld(world: World) -> None:
    assert world.answer["meta"]["grounding"]["withheld"] == 1
