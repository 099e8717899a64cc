"""Steps of what is known of a document: progress, versions, chunks, originals, holds, likeness."""

from __future__ import annotations

import re
from typing import Any

from pytest_bdd import parsers, scenarios, then, when

from features.world import World, filter_of, named, wait_for

scenarios("ingestion_documents.feature")

STAGES = {"queued", "parsing", "chunking", "embedding", "total"}


def path(world: World, source_id: str, part: str = "") -> str:
    return f"/v1/documents/{world.ids[world.workspace, source_id]}{part}"


def read(world: World, source_id: str) -> dict[str, Any]:
    return world.service.http.get(path(world, source_id)).json()


@when(named('I send the file "{source_id}" saying "{text}"'))
def send_file(world: World, source_id: str, text: str) -> None:
    world.send(source_id, text)


@when(named('I upload "{source_id}" for the group "{group}" saying "{text}"'))
def upload_for(world: World, source_id: str, group: str, text: str) -> None:
    world.upload(source_id, text, acl=group)


@then("it is accepted with an estimate of seconds")
def accepted_with_estimate(world: World) -> None:
    assert world.response.status_code == 202, world.response.text
    assert re.fullmatch(r"\d+\.\d", world.response.headers["x-processing-time"])
    document = world.response.json()
    assert world.response.headers["location"] == f"/v1/documents/{document['id']}"
    assert document["stage"] == "queued"
    assert document["progress"] == 0.0


@when(named('"{source_id}" has come to its end'))
def ended(world: World, source_id: str) -> None:
    world.noted = world.follow(path(world, source_id))


@then("its progress is complete, with the seconds of every stage")
def complete(world: World) -> None:
    assert world.noted["status"] == "indexed", world.noted
    assert (world.noted["progress"], world.noted["stage"]) == (1.0, None)
    timings = world.noted["timings"]
    assert set(timings) == STAGES
    assert all(0 <= timings[stage] <= timings["total"] for stage in STAGES)
    assert (world.noted["pages"], world.noted["warnings"]) == (None, [])


@then("it was queued before it was indexed")
def queued_before_indexed(world: World) -> None:
    assert world.noted["queued_at"] < world.noted["indexed_at"]


@when(parsers.re(r'I read the (?P<part>versions|chunks|original) of "(?P<source_id>[^"]*)"$'))
def read_part(world: World, part: str, source_id: str) -> None:
    world.request("GET", path(world, source_id, f"/{part}"))


@then("these are its versions")
def versions(world: World, datatable: list[list[str]]) -> None:
    found = world.response.json()["versions"]
    assert [[str(one["version"]), one["status"]] for one in found] == datatable[1:]
    assert all(one["chunks"] == 1 and one["size"] > 0 for one in found)


@then(named('the chunks say "{text}"'))
def chunks_say(world: World, text: str) -> None:
    assert world.response.status_code == 200, world.response.text
    assert text in " ".join(one["text"] for one in world.response.json()["chunks"])


@when(parsers.re(r'I read the chunks of "(?P<source_id>[^"]*)" (?P<limit>\d+) at a time'))
def chunks_in_pages(world: World, source_id: str, limit: str) -> None:
    world.noted, after = [], "0"
    while after:
        query = {"limit": limit, "after": after}
        page = world.request("GET", path(world, source_id, "/chunks"), params=query).json()
        assert len(page["chunks"]) <= int(limit)
        world.noted += page["chunks"]
        after = page["next"]


@then(parsers.parse("{count:d} chunks were read, each with its section and its span"))
def chunks_read(world: World, count: int) -> None:
    assert len(world.noted) == len({one["id"] for one in world.noted}) == count
    assert [one["section"].split(" > ")[-1] for one in world.noted] == ["One", "Two", "Three"]
    assert all(one["end"] - one["start"] == len(one["text"]) for one in world.noted)


@when(named('I download "{source_id}"'))
def download(world: World, source_id: str) -> None:
    world.request("GET", path(world, source_id, "/original"))


@when(parsers.re(r'I download version (?P<number>\d+) of "(?P<source_id>[^"]*)"'))
def download_version(world: World, number: str, source_id: str) -> None:
    world.request("GET", path(world, source_id, "/original"), params={"version": number})


@then(named('the file reads "{text}"'))
def file_reads(world: World, text: str) -> None:
    assert world.response.status_code == 200, world.response.text
    assert world.response.content == text.encode()


@then(named('it is to be saved as "{name}" and cannot run'))
def inert(world: World, name: str) -> None:
    assert world.response.content == world.texts[name].encode()
    headers = world.response.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith(f'attachment; filename="{name}"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox")


@when(named('I have "{source_id}" worked on again'))
def reprocess(world: World, source_id: str) -> None:
    world.request("POST", path(world, source_id, ":reprocess"))
    assert world.response.status_code == 202, world.response.text
    assert world.response.headers["location"] == path(world, source_id)
    assert world.response.json()["status"] == "queued"


@then(named('it failed, as it holds "{words}"'))
def failed(world: World, words: str) -> None:
    assert world.noted["status"] == "failed"
    assert words in world.noted["error"]
    assert world.noted["progress"] is None


@when(parsers.re(r"I list the documents with (?P<what>.+)"))
def list_with(world: World, what: str) -> None:
    query = dict(part.split(" ", 1) for part in what.split(" and "))
    world.request("GET", "/v1/documents", params={"workspace": world.workspace, **query})


@then(named("only these are listed: {documents}"))
def only_listed(world: World, documents: str) -> None:
    assert world.response.status_code == 200, world.response.text
    wanted = [] if documents == "nothing" else documents.split(", ")
    found = [one["source_id"] for one in world.response.json()["documents"]]
    assert sorted(found) == sorted(wanted)


@when(named('I hold "{source_id}" because of "{reason}"'))
def hold(world: World, source_id: str, reason: str) -> None:
    world.request("PUT", path(world, source_id, "/hold"), json={"reason": reason})
    assert world.response.status_code == 200, world.response.text
    assert world.response.json()["hold"]["reason"] == reason


@when(named('I release "{source_id}"'))
def release(world: World, source_id: str) -> None:
    world.request("DELETE", path(world, source_id, "/hold"))
    assert world.response.status_code == 200, world.response.text
    assert world.response.json()["hold"] is None


@when(named('I try to delete "{source_id}"'))
def try_to_delete(world: World, source_id: str) -> None:
    world.request("DELETE", path(world, source_id))


@when("I try to delete the workspace")
def try_to_delete_workspace(world: World) -> None:
    world.request("DELETE", f"/v1/workspaces/{world.workspace}")


@when("I delete what matches nothing in particular")
def delete_all(world: World) -> None:
    delete_matching(world, {})


@when(parsers.re(r"I delete what matches (?P<condition>\w+ \w+ \d+)"))
def delete_where(world: World, condition: str) -> None:
    delete_matching(world, filter_of(condition))


def delete_matching(world: World, filters: dict[str, Any]) -> None:
    body = {"workspace": world.workspace, "filters": filters}
    world.request("POST", "/v1/documents:delete", json=body)


@then(
    parsers.re(
        r'(?P<count>\d+) documents? (?:was|were) deleted, and "(?P<source_id>[^"]*)" was held '
        r'because of "(?P<reason>[^"]*)"'
    )
)
def deleted_and_held(world: World, count: str, source_id: str, reason: str) -> None:
    assert world.response.status_code == 200, world.response.text
    outcome = world.response.json()
    assert (outcome["count"], outcome["more"]) == (int(count), False)
    assert len(outcome["deleted"]) == int(count)
    held = {"id": world.ids[world.workspace, source_id], "reason": reason}
    assert outcome["held"] == [held]


@then(named('in the end the receipt of "{source_id}" is complete'))
def receipt_in_the_end(world: World, source_id: str) -> None:
    wait_for(
        lambda: read(world, source_id)["receipt"]["complete"], "the deletion was never complete"
    )


@then(named('"{one}" and "{other}" are near duplicates'))
def near_duplicates(world: World, one: str, other: str) -> None:
    for mine, theirs in ((one, other), (other, one)):
        found = read(world, mine)["near_duplicates"]
        assert found == [world.ids[world.workspace, theirs]]


@then(named('"{source_id}" is like no other'))
def like_no_other(world: World, source_id: str) -> None:
    assert read(world, source_id)["near_duplicates"] == []
