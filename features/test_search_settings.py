"""Steps of reading, trying and changing how a workspace is searched, and of a hit's reasons."""

from __future__ import annotations

import json
from typing import Any

from pytest_bdd import parsers, scenarios, then, when

from features.world import World

scenarios("search_settings.feature")


def settings(world: World) -> dict[str, Any]:
    path = f"/v1/workspaces/{world.workspace}/search-settings"
    return world.service.http.get(path).json()


def reasons(world: World) -> list[str]:
    assert world.response.status_code == 200, world.response.text
    return world.response.json()["hits"][0]["why"]


@when(parsers.parse("I change the search settings to {patch}"))
def change(world: World, patch: str) -> None:
    path = f"/v1/workspaces/{world.workspace}/search-settings"
    world.request("PATCH", path, json=json.loads(patch))


@when(parsers.parse("I roll the configuration back to version {version:d}"))
def roll_back(world: World, version: int) -> None:
    path = f"/v1/workspaces/{world.workspace}/rollback"
    world.request("POST", path, json={"version": version})
    assert world.response.status_code == 200, world.response.text


@when(parsers.re(r'I search by all means for "(?P<query>[^"]*)" with reasons$'))
def search_with_reasons(world: World, query: str) -> None:
    world.search(query, mode="hybrid", explain=True)


@when(
    parsers.re(
        r'I search by all means for "(?P<query>[^"]*)" with reasons and the settings (?P<patch>.+)'
    )
)
def search_trying_with_reasons(world: World, query: str, patch: str) -> None:
    world.search(query, mode="hybrid", explain=True, settings=json.loads(patch))


@then(parsers.parse("the search settings are at version {version:d}"))
def at_version(world: World, version: int) -> None:
    assert settings(world)["config_version"] == version


@then(parsers.parse('the setting "{name}" is {value}'))
def setting_is(world: World, name: str, value: str) -> None:
    found = settings(world)["settings"]
    for part in name.split("."):
        found = found[part]
    assert found == json.loads(value)


@then(parsers.parse('the field "{field}" is named'))
def field_named(world: World, field: str) -> None:
    assert world.response.json()["field"] == field


@then("the documents are still found")
def still_found(world: World) -> None:
    world.search("refunds", mode="hybrid")
    assert world.response.json()["hits"][0]["source_id"] == "policies/refunds.txt"


@then(parsers.parse('version {version:d} changed "{field}" from {before} to {after}'))
def changed(world: World, version: int, field: str, before: str, after: str) -> None:
    versions = world.service.http.get(f"/v1/workspaces/{world.workspace}/history").json()
    (one,) = [one for one in versions if one["version"] == version]
    assert one["changed"] == [
        {"field": field, "before": json.loads(before), "after": json.loads(after)}
    ]
    assert one["by"] == "anonymous"
    assert one["at"]


@then("the search was made with settings that were only tried")
def only_tried(world: World) -> None:
    assert world.response.json()["meta"]["tried"] is True


@then("nothing is found")
def nothing_found(world: World) -> None:
    assert world.response.json()["hits"] == []


@then(parsers.parse('a reason of the first hit begins with "{words}"'))
def reason_begins(world: World, words: str) -> None:
    assert [one for one in reasons(world) if one.startswith(words)], reasons(world)


@then(parsers.re(r'a reason of the first hit mentions "(?P<words>.+)"'))
def reason_mentions(world: World, words: str) -> None:
    assert [one for one in reasons(world) if words in one], reasons(world)


@then("no hit says why it is there")
def no_reasons(world: World) -> None:
    hits = world.response.json()["hits"]
    assert hits
    assert {hit["why"] for hit in hits} == {None}


@then("the search tells its retriever, revision, version and weights")
def meta_told(world: World) -> None:
    meta = world.response.json()["meta"]
    assert (meta["retriever"], meta["revision"], meta["config_version"]) == ("hybrid", 3, 1)
    assert (meta["fusion"]["dense"], meta["fusion"]["keyword"]) == (0.5, 0.5)
    assert meta["query"]["kind"] == "lookup"
