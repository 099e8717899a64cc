"""The acceptance tests: a scenario runs once for each profile; the steps that they share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, then, when

from adapters.embedder import pulling
from features.world import MODEL, Deploy, Service, World, filter_of, named, serving
from tests.servers import NewCluster

CLUSTERED = {"test_ingestion_documents", "test_ingestion_queue", "test_ingestion_uploads"}
ONCE = {"test_backup"}
"""They choose every part themselves: another profile would change nothing."""
INSIDE = ("Traceback", 'File "', ".py", "sqlite", "Error(", "Exception")
"""What would give away that a program's inside is shown."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ingestion is held to its scenarios in a cluster, too."""
    module = metafunc.module.__name__.rpartition(".")[2]
    profiles = ["mock"] if module in ONCE else ["mock", "local"]
    if module in CLUSTERED:
        profiles.append("cluster")
    metafunc.parametrize("profile", profiles, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def profile(request: pytest.FixtureRequest) -> str:
    if request.param != "mock" and not pulling.verified(MODEL):
        pulling.pull(MODEL, "auto")
    return request.param


@pytest.fixture(scope="session")
def new_servers(profile: str, request: pytest.FixtureRequest) -> NewCluster:
    """The variables that name the servers of another deployment; most profiles have none."""
    return request.getfixturevalue("new_cluster") if profile == "cluster" else dict


@pytest.fixture(scope="session")
def shared(
    profile: str, new_servers: NewCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """One service for every scenario that needs no special one; each has its own workspace."""
    with serving(profile, tmp_path_factory.mktemp(profile), new_servers()) as service:
        yield service


@pytest.fixture
def deploy(profile: str, new_servers: NewCluster, tmp_path: Path) -> Iterator[Deploy]:
    """Start a deployment with these variables; one before it, on the same data, is stopped."""
    servers: dict[str, str] = {}
    with ExitStack() as stack:

        def started(variables: Mapping[str, str]) -> Service:
            stack.close()
            servers.update({} if servers else new_servers())
            chosen = {**servers, **variables}
            return stack.enter_context(serving(profile, tmp_path / "data", chosen))

        yield started


@pytest.fixture
def world(shared: Service) -> World:
    return World(shared)


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
def deployment_with(world: World, deploy: Deploy, variable: str, value: str) -> None:
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


@when(named('I search by keywords alone for "{query}"'))
def search_words_alone(world: World, query: str) -> None:
    world.search(query, mode="keyword")
    assert world.response.status_code == 200, world.response.text


@when(parsers.re(r'I search by all means for "(?P<query>[^"]*)" with the settings (?P<patch>.+)'))
def search_trying(world: World, query: str, patch: str) -> None:
    world.search(query, mode="hybrid", settings=json.loads(patch))


@when(parsers.re(r"I run rag (?P<words>.+)"))
def run_rag(world: World, words: str) -> None:
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    rag = Path(sys.executable).with_name("rag")
    world.noted = subprocess.run(
        [rag, *words.replace("WORKSPACE", world.workspace).split()],
        env={**plain, **world.service.variables}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@then(parsers.parse('it ends with {status:d} and says "{words}"'))
def it_ends(world: World, status: int, words: str) -> None:
    said = world.noted.stdout + world.noted.stderr
    assert world.noted.returncode == status, said
    assert words in said


@then(named('it says "{words}"'))
def it_says(world: World, words: str) -> None:
    assert words in world.noted.stdout


@when(parsers.re(r'I search by all means for "(?P<query>[^"]*)"$'))
def search_by_all_means(world: World, query: str) -> None:
    world.search(query, mode="hybrid")
    assert world.response.status_code == 200, world.response.text


@when(named('I upload "{source_id}" saying "{text}"'))
def upload(world: World, source_id: str, text: str) -> None:
    world.upload(source_id, text.replace("\\n", "\n"))


@when(named('I delete "{source_id}"'))
def delete(world: World, source_id: str) -> None:
    world.request("DELETE", f"/v1/documents/{world.ids[world.workspace, source_id]}")
    assert world.response.status_code == 200, world.response.text


@when(
    parsers.re(r"I change the configuration: (?P<change>[^,]+)(?:, expecting version (?P<at>\d))?")
)
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
    "generation 2": {"generation": 2},
    "chunks of 3 tokens": {"chunking": {"tokens": 3}},
    "chunks of 64 tokens": {"chunking": {"tokens": 64}},
    "chunks by topic": {"chunking": {"strategy": "semantic"}},
    "chunks by guessing": {"chunking": {"strategy": "guessing"}},
    "a stray option": {"colour": "blue"},
    "generator template": {"generator": "template"},
    "generator defalt": {"generator": "defalt"},
    "spelling corrected": {"understanding": {"spelling": True}},
    "synonyms of paid time off": {"understanding": {"synonyms": [["PTO", "paid time off"]]}},
    "unsupported sentences removed": {"grounding": {"policy": "remove"}},
    "unsupported answers refused": {"grounding": {"policy": "refuse"}},
    "verified with the embedder": {"grounding": {"verifier": "embedding"}},
    "verified by no language model": {"grounding": {"verifier": "model"}},
    "strong evidence wanted": {"grounding": {"weak": 0.2}},
    "grounding by guessing": {"grounding": {"policy": "guess"}},
    "a threshold of 2": {"grounding": {"threshold": 2}},
    "one neighbour": {"reach": {"neighbours": 1}},
    "cache forgetful": {"cache": "forgetful"},
    "retriever nothing-like-it": {"retriever": "nothing-like-it"},
}


@then(parsers.parse("its configuration is at version {version:d}"))
def at_version(world: World, version: int) -> None:
    known = world.configured()
    assert known["config_version"] == version
    assert sorted(known["versions"], key=int) == [str(one + 1) for one in range(version)]
    assert known["versions"][str(version)] == known["config"]


@then(parsers.parse("version {one} of its configuration is the same as version {other}"))
def same_version(world: World, one: str, other: str) -> None:
    versions = world.configured()["versions"]
    assert versions[one] == versions[other]


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
    shown = world.response.text
    if world.response.headers["content-type"] == "application/json":
        told = json.loads(shown)
        told.get("meta", {}).pop("query", None)  # which says what was asked, in the asker's words
        shown = json.dumps(told, ensure_ascii=False)
    assert text not in shown


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


@then("it says when to try again")
def retry_after(world: World) -> None:
    assert int(world.response.headers["retry-after"]) >= 1
    assert world.response.json()["retry_after_s"] > 0


@then(parsers.re(r"the reason mentions \"(?P<words>.+)\""))
def reason_mentions(world: World, words: str) -> None:
    assert words in world.response.json()["detail"]


@then("nothing of the program's inside is shown")
def nothing_inside(world: World) -> None:
    assert not [one for one in INSIDE if one in world.response.text]
