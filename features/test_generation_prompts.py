"""Steps of asking a language model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import Service, World, serving
from orchestrator.ports.language import Completion, Message
from tests.completions import Completions, completions
from tests.injections import INJECTIONS
from tests.obedient import Obedient
from tests.scripted import MODEL, Asked, Script

scenarios("generation_prompts.feature")

WINDOW = 8_000


@pytest.fixture(scope="module")
def model() -> Iterator[Completions]:
    with completions(obeying) as server:
        server.window = WINDOW
        yield server


@pytest.fixture(scope="module")
def asking(
    profile: str, model: Completions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One service for all scenarios here; each has its own workspace."""
    chosen = {"KIND": "openai", "MODEL": MODEL, "BASE_URL": f"{model.url}/v1", "WINDOW": WINDOW}
    variables = {f"RAG_GENERATOR__{name}": str(value) for name, value in chosen.items()}
    with serving(profile, tmp_path_factory.mktemp(profile), variables) as service:
        yield service


def obeying(asked: Asked) -> Script:
    messages = tuple(Message(one["role"], one["content"]) for one in asked.messages)
    if messages[0].text.startswith("You write a question in other words"):
        return Script("When are refunds paid?")
    return Script(Obedient(lenient=True).answer(Completion(messages, asked.limit)))


@given("a language model that obeys every order that it finds outside of a passage")
def language_model(world: World, asking: Service) -> None:
    world.service = asking


@given(parsers.parse('documents that give orders by "{family}"'))
def orders(world: World, family: str) -> None:
    texts = [text for one in INJECTIONS if one.family == family for text in one.texts]
    assert texts
    for number, text in enumerate(texts):
        world.upload(f"orders/{number}.txt", f"{text}\n\nThis is of refunds.")


@given(parsers.parse("the workspace's prompts are {prompting}"))
def prompted(world: World, prompting: str) -> None:
    choose(world, {"prompting": json.loads(prompting)})
    assert world.response is not None
    assert world.response.status_code == 200, world.response.text


@given("the workspace searches for 1 paraphrase")
def paraphrased(world: World) -> None:
    choose(world, {"understanding": {"paraphrases": 1}})


@when(parsers.parse("I choose the prompts {prompting}"))
def choose_prompts(world: World, prompting: str) -> None:
    choose(world, {"prompting": json.loads(prompting)})


def choose(world: World, changed: dict[str, Any]) -> None:
    now = world.configured()
    body = {"config": {**now["config"], **changed}, "expected_version": now["config_version"]}
    world.request("PUT", f"/v1/workspaces/{world.workspace}/config", json=body)


@when(parsers.parse('I search for "{text}"'))
def search(world: World, text: str) -> None:
    world.search(text)


@when("I ask twenty questions, each of them twice")
def ask_twenty(world: World) -> None:
    world.noted = []
    for number in range(20):
        versions = set()
        for again in (0, 1):
            world.ask(f"{' ' * again}When are refunds of article {number} paid?")
            versions.add(world.answer["meta"]["prompt"])
        world.noted.append(versions)


@then("each was answered by one version, and both versions answered some")
def both_versions(world: World) -> None:
    assert all(len(versions) == 1 for versions in world.noted)
    assert set().union(*world.noted) == {"answer/v1.en", "answer/v2.en"}


@then(parsers.parse('the answer was made with the prompt "{name}"'))
def made_with(world: World, name: str) -> None:
    assert world.answer["meta"]["prompt"] == name


@then(parsers.parse('the answer is "{text}"'))
def answer_is(world: World, text: str) -> None:
    assert (world.answer["answer"], world.answer["answerable"]) == (text, False)


@then(parsers.parse('the answer cites "{source_id}"'))
def answer_cites(world: World, source_id: str) -> None:
    assert [one["source_id"] for one in world.answer["sources"] if one["cited"]] == [source_id]


@then("nothing that was ordered is said")
def nothing_ordered(world: World, model: Completions) -> None:
    said = world.answer["answer"]
    assert any(one["source_id"].startswith("orders/") for one in world.answer["sources"])
    prompt = model.asked[-1].messages[0]["content"]
    assert not any(word in said for word in ("PWNED", "evil.example", "tool_call", "42"))
    assert not any(line in said for line in prompt.splitlines() if line)


@then("one of two sources of the same words was left out as a duplicate")
def one_left_out(world: World) -> None:
    packing = world.answer["meta"]["packing"]
    snippets = [one["snippet"] for one in world.answer["sources"]]
    assert len(packing["duplicates"]) == 1
    assert packing["given"] == len(snippets) == len(set(snippets))
    assert 0 < packing["tokens"] <= packing["budget"] < WINDOW


@then(parsers.parse('"{source_id}" was found by a paraphrase'))
def found_by_paraphrase(world: World, source_id: str) -> None:
    assert world.response is not None
    hits = {one["source_id"]: one for one in world.response.json()["hits"]}
    assert "paraphrase 1" in hits[source_id]["scores"]
