"""Steps of keeping documents: uploads, versions, rights, lists and deletions."""

from __future__ import annotations

import json
from typing import Any

from pytest_bdd import given, parsers, scenarios, then, when

from features.world import World, filter_of

scenarios("documents.feature")

NOTE = {"file": ("notes.md", b"A note.")}
MATTERS: dict[str, dict[str, Any]] = {
    "a program named notes.md": {
        "files": {"file": ("notes.md", b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 8)}
    },
    "a picture named notes.txt": {"files": {"file": ("notes.txt", b"GIF89a" + b"\0" * 60)}},
    "a file without a byte": {"files": {"file": ("notes.txt", b"")}},
    "a file of blank lines": {"files": {"file": ("notes.txt", b"\n \n\n")}},
    "a form without a file": {"data": {"title": "nothing"}},
    "a file for workspace nowhere": {"files": NOTE, "data": {"workspace": "nowhere"}},
    "metadata that is a list": {"files": NOTE, "data": {"metadata": "[1]"}},
    "metadata that is nested": {"files": NOTE, "data": {"metadata": '{"a": {"b": 1}}'}},
    "an acl without a group": {"files": NOTE, "data": {"acl": " , "}},
}


@given("the workspace's revision is noted")
def note_revision(world: World) -> None:
    world.noted = revision(world)


def revision(world: World) -> int:
    return world.service.http.get(f"/v1/workspaces/{world.workspace}").json()["revision"]


@when(parsers.re(r'I send the file "(?P<source_id>[^"]*)" saying "(?P<text>[^"]*)"'))
def send_file(world: World, source_id: str, text: str) -> None:
    world.send(source_id, text)


@when(parsers.re(r'I send the file "(?P<source_id>[^"]*)" again'))
def send_file_again(world: World, source_id: str) -> None:
    (listed,) = [one for one in world.listed() if one["source_id"] == source_id]
    world.send(source_id, world.texts[source_id], metadata=json.dumps(listed["metadata"]))


@when(parsers.re(r"I send (?P<matter>an? [^\"]+|metadata [^\"]+)"))
def send(world: World, matter: str) -> None:
    options = MATTERS[matter]
    options = {**options, "data": {"workspace": world.workspace, **options.get("data", {})}}
    world.request("POST", "/v1/documents", **options)


@when(
    parsers.re(
        r'I upload "(?P<source_id>[^"]*)" for the group "(?P<group>[^"]*)" saying "(?P<text>[^"]*)"'
    )
)
def upload_for(world: World, source_id: str, group: str, text: str) -> None:
    world.upload(source_id, text, acl=group)


@when(parsers.re(r'I search for the words "(?P<query>[^"]*)" where (?P<condition>.+)'))
def search_where(world: World, query: str, condition: str) -> None:
    world.search(query, mode="keyword", filters=filter_of(condition))


@when(parsers.parse("I list the documents {limit:d} at a time"))
def list_in_pages(world: World, limit: int) -> None:
    world.noted, after = [], None
    while True:
        query = {"workspace": world.workspace, "limit": limit} | ({"after": after} if after else {})
        page = world.request("GET", "/v1/documents", params=query).json()
        assert len(page["documents"]) <= limit
        world.noted += [one["source_id"] for one in page["documents"]]
        after = page["next"]
        if after is None:
            return


@when(parsers.re(r'I (?P<act>read|delete) the document "(?P<document_id>\w+)"'))
def touch(world: World, act: str, document_id: str) -> None:
    world.request({"read": "GET", "delete": "DELETE"}[act], f"/v1/documents/{document_id}")


@then("it is accepted with a Location")
def accepted(world: World) -> None:
    assert world.response.status_code == 202, world.response.text
    document = world.response.json()
    assert document["status"] == "queued"
    assert document["duplicate"] is False
    world.noted = world.response.headers["location"]
    assert world.noted == f"/v1/documents/{document['id']}"


@then(parsers.parse('following the Location ends at the status "{status}"'))
def follow(world: World, status: str) -> None:
    world.noted = world.follow(world.noted)
    assert world.noted["status"] == status


@then(parsers.parse('the document\'s error mentions "{words}"'))
def error_mentions(world: World, words: str) -> None:
    assert words in world.noted["error"]


@then(parsers.parse("it is accepted as a duplicate at version {version:d}"))
def duplicate(world: World, version: int) -> None:
    assert world.response.status_code == 202, world.response.text
    document = world.response.json()
    assert document["duplicate"] is True
    assert document["status"] == "indexed"
    assert document["version"] == version


@then("the workspace's revision is unchanged")
def revision_unchanged(world: World) -> None:
    assert revision(world) == world.noted


@then(parsers.parse('the first hit reads "{text}"'))
def first_hit_reads(world: World, text: str) -> None:
    assert world.response.json()["hits"][0]["snippet"] == text


@then(
    parsers.re(r'following "(?P<source_id>[^"]*)" shows the status "deleted" with the same receipt')
)
def deleted(world: World, source_id: str) -> None:
    receipt = world.response.json()
    document = world.service.http.get(
        f"/v1/documents/{world.ids[world.workspace, source_id]}"
    ).json()
    assert document["status"] == "deleted"
    assert document["receipt"] == receipt


@then(parsers.parse("only these are hit: {documents}"))
def only_these(world: World, documents: str) -> None:
    wanted = set() if documents == "nothing" else set(documents.split(", "))
    assert world.response.status_code == 200, world.response.text
    assert {hit["source_id"] for hit in world.response.json()["hits"]} == wanted


@then(parsers.parse("all {count:d} documents are listed once"))
def all_listed(world: World, count: int) -> None:
    assert len(world.noted) == count
    assert len(set(world.noted)) == count
