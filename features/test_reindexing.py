"""Steps of re-indexing: beside what serves, there and back."""

from __future__ import annotations

from typing import Any

from pytest_bdd import given, parsers, scenarios, then, when

from features.conftest import CHANGES
from features.world import Deploy, World, wait_for

scenarios("reindexing.feature")

MANY = " ".join(f"Rule {n} says that cupboard {n} is locked in the evening." for n in range(20))
DOCUMENTS = {
    "policies/refunds.txt": "Refunds are paid within 7 days of purchase.",
    "policies/travel.txt": "Hotels are reimbursed up to 140 EUR a night.",
}
WANTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "chunks of 3 tokens": {"chunking": {"tokens": 3}},
    "chunks of 32 tokens": {"chunking": {"tokens": 32}},
    "chunks of 64 tokens": CHANGES["chunks of 64 tokens"],
    "the embedder nowhere": {"embedder": "nowhere"},
    'the keyword store "second"': {"keywords": "second"},
}


def path(world: World) -> str:
    return f"/v1/workspaces/{world.workspace}/reindexing"


def state(world: World) -> str:
    found: str = world.service.http.get(path(world)).json()["state"]
    return found


def begin(world: World, change: str, **more: Any) -> None:
    world.request("POST", path(world), json={**WANTED[change], **more})


def chunks(world: World) -> int:
    found = world.service.http.get(f"/v1/documents/{world.ids[world.workspace, 'rules.txt']}")
    count: int = found.json()["chunks"]
    return count


@given("a deployment with a second keyword store, and the same documents")
def second_store(world: World, deploy: Deploy, profile: str) -> None:
    kind = "rank-bm25" if profile == "mock" else "tantivy"
    world.service = deploy({"RAG_KEYWORD_STORES__SECOND__KIND": kind})
    world.workspace = world.create()
    for source_id, text in DOCUMENTS.items():
        world.upload(source_id, text)


@when("I upload a document of many sentences")
def upload_many(world: World) -> None:
    world.upload("rules.txt", MANY)
    world.noted = chunks(world)


@when(parsers.re(r"I begin to re-index it with (?P<change>[^,]+)"))
def begun(world: World, change: str) -> None:
    begin(world, change)


@when(parsers.re(r"I begin to re-index it with (?P<change>[^,]+), to be switched by hand"))
def begun_by_hand(world: World, change: str) -> None:
    begin(world, change, automatic=False)
    assert world.response.status_code == 202, world.response.text


@when(parsers.re(r"I re-index it with (?P<change>[^,]+)"))
def done(world: World, change: str) -> None:
    begin(world, change)
    assert world.response.status_code == 202, world.response.text
    wait_for(lambda: state(world) == "switched", "there was no switch")


@when(
    parsers.re(r'I re-index it with (?P<change>[^,]+), asking "(?P<question>[^"]*)" all the while')
)
def done_asking(world: World, change: str, question: str) -> None:
    begin(world, change)
    answers = []

    def switched() -> bool:
        world.ask(f"{question} ({len(answers)})")
        answers.append(world.response.json())
        return state(world) == "switched"

    wait_for(switched, "there was no switch")
    switched()
    world.noted = (world.noted, answers)


@when("I let readers go over")
def let_over(world: World) -> None:
    wait_for(lambda: state(world) == "verified", "it was never verified")
    wait_for(lambda: move(world, "POST", "/switch") == 200, "there was no switch")


@when("I undo the re-indexing")
def undo(world: World) -> None:
    wait_for(lambda: move(world, "DELETE") == 200, "there was no way back")


@when("I confirm the re-indexing")
def confirm(world: World) -> None:
    world.request("POST", f"{path(world)}/confirm")


def move(world: World, method: str, where: str = "") -> int:
    response = world.request(method, f"{path(world)}{where}")
    assert response.status_code == 200 or response.json()["code"] in {
        "reindexing_behind",
        "reindexing_moved",
    }, response.text
    return response.status_code


@then(parsers.re(r'every answer said "(?P<fact>[^"]*)"'))
def every_answer(world: World, fact: str) -> None:
    world.noted, answers = world.noted
    assert len(answers) >= 2
    assert [one for one in answers if fact not in one["answer"]] == []


@then(parsers.re(r'the re-indexing is "(?P<wanted>[^"]*)"'))
def in_state(world: World, wanted: str) -> None:
    assert state(world) == wanted


@then(parsers.parse("its generation is {number:d}"))
def of_generation(world: World, number: int) -> None:
    assert world.configured()["config"]["generation"] == number


@then("the document of many sentences has more chunks than before")
def more_chunks(world: World) -> None:
    assert chunks(world) > world.noted


@when(parsers.re(r'I search for the words "(?P<words>[^"]*)"'))
def search_words(world: World, words: str) -> None:
    world.search(words, mode="keyword")
