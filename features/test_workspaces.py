"""Steps of keeping workspaces: isolation, configuration and its history."""

from __future__ import annotations

from pytest_bdd import given, parsers, scenarios, then, when

from features.world import World

scenarios("workspaces.feature")

REFUNDS = " ".join(f"Refunds of purchase {at} are paid to the customer's card." for at in range(6))
LOCKERS = " ".join(f"Parcel {at} waits in a locker at the train station." for at in range(6))
RULES = f"## Refunds\n\n{REFUNDS}\n\n## Lockers\n\n{LOCKERS}\n"


@when(parsers.re(r'I search "(?P<query>[^"]*)" there'))
def search_there(world: World, query: str) -> None:
    world.search(query, world.elsewhere)


@when(parsers.parse("I roll the configuration back to version {version:d}"))
def roll_back(world: World, version: int) -> None:
    path = f"/v1/workspaces/{world.workspace}/rollback"
    world.request("POST", path, json={"version": version})


@given(parsers.parse('a workspace whose documents are cut by "{strategy}"'))
def cut_by(world: World, strategy: str) -> None:
    world.workspace = world.create(chunking={"strategy": strategy, "tokens": 256})


@when("I upload a document that speaks of refunds, and then of lockers")
def upload_two_topics(world: World) -> None:
    world.upload("rules.md", RULES)


@when("I delete the workspace")
def delete(world: World) -> None:
    world.request("DELETE", f"/v1/workspaces/{world.workspace}")
    assert world.response.status_code == 204, world.response.text


@when(parsers.parse('I delete the workspace "{name}"'))
def delete_named(world: World, name: str) -> None:
    world.request("DELETE", f"/v1/workspaces/{name}")


@when("I create the workspace again")
def create_again(world: World) -> None:
    world.create(world.workspace)


@when(parsers.parse('I create the workspace "{name}"'))
def create_named(world: World, name: str) -> None:
    world.request("POST", "/v1/workspaces", json={"name": name})


@then("the list of workspaces holds it")
def listed(world: World) -> None:
    found = world.service.http.get("/v1/workspaces").json()
    assert [one["name"] for one in found].count(world.workspace) == 1


@then(parsers.parse("the answer was made anew, by configuration version {version:d}"))
def made_by_version(world: World, version: int) -> None:
    assert world.answer["meta"]["cache_hit"] is False
    assert world.answer["meta"]["config_version"] == version


@then("the list is empty")
def nothing_listed(world: World) -> None:
    assert world.listed() == []


@then(parsers.parse("the first hit speaks of {topics}"))
def first_hit_speaks_of(world: World, topics: str) -> None:
    first = world.response.json()["hits"][0]["snippet"]
    assert REFUNDS in first
    assert ("Parcel" in first) is (topics == "refunds and lockers")


@then("every hit is the span that it names")
def spans(world: World) -> None:
    extracted = RULES.replace("## ", "")
    for hit in world.response.json()["hits"]:
        assert hit["snippet"] == extracted[hit["start"] : hit["end"]]
