"""Steps of handing documents in as text, as pairs, in batches and from websites."""

from __future__ import annotations

import uuid

from pytest_bdd import parsers, scenarios, then, when

from features.world import World, named, wait_for

scenarios("ingestion_uploads.feature")


def send(world: World, way: str, body: dict, key: str | None = None) -> None:
    headers = {"Idempotency-Key": f"{world.workspace}-{key}"} if key else {}
    body = {"workspace": world.workspace, **body}
    world.noted = world.response
    world.request("POST", f"/v1/documents:{way}", json=body, headers=headers)


@when(named('I hand in the text "{text}" as "{source_id}"'))
def hand_in_text(world: World, text: str, source_id: str) -> None:
    send(world, "text", {"source_id": source_id, "text": text})


@when(named('I hand in the text "{text}" as "{source_id}" under the key "{key}"'))
def hand_in_text_once(world: World, text: str, source_id: str, key: str) -> None:
    send(world, "text", {"source_id": source_id, "text": text}, key)


@when(named('I hand in these questions and answers as "{source_id}"'))
def hand_in_pairs(world: World, source_id: str, datatable: list[list[str]]) -> None:
    head, *rows = datatable
    pairs = [dict(zip(head, row, strict=True)) for row in rows]
    send(world, "qa", {"source_id": source_id, "pairs": pairs})


@when("I hand in these files at once")
def hand_in_files(world: World, datatable: list[list[str]]) -> None:
    files = [
        ("files", (name, content.encode().decode("unicode_escape").encode()))
        for name, content in datatable[1:]
    ]
    data = {"workspace": world.workspace}
    world.request("POST", "/v1/documents:batch", files=files, data=data)


@when(named('I name the path "{path}" in a manifest'))
def name_path(world: World, path: str) -> None:
    send(world, "batch", {"items": [{"path": path}]})


@when(named('I hand in the website "{url}"'))
def hand_in_website(world: World, url: str) -> None:
    send(world, "website", {"url": url})


@then(named('the document becomes "{status}"'))
def document_becomes(world: World, status: str) -> None:
    location = world.accepted(world.response)
    assert world.follow(location)["status"] == status


@then("it is accepted as a job")
def accepted_as_job(world: World) -> None:
    location = world.accepted(world.response)
    assert location == f"/v1/jobs/{world.response.json()['id']}"
    assert uuid.UUID(world.response.json()["id"])


@then(parsers.parse("the job ends with {indexed:d} indexed and {refused:d} refused"))
def job_ends(world: World, indexed: int, refused: int) -> None:
    location = world.response.headers["location"]

    def ended() -> dict | None:
        job = world.service.http.get(location).json()
        return job if job["status"] == "ended" else None

    world.noted = wait_for(ended, "the job came to no end")
    counts = {"indexed": indexed, "refused": refused}
    assert world.noted["by_status"] == {name: count for name, count in counts.items() if count}
    assert world.noted["total"] == indexed + refused


@then(named('the job says of "{source_id}" the code "{code}"'))
def job_says(world: World, source_id: str, code: str) -> None:
    (item,) = [one for one in world.noted["items"] if one["source_id"] == source_id]
    assert (item["code"], item["document_id"]) == (code, None)
    assert item["reason"]


@then(named('the first hit shows "{answer}" below "{question}"'))
def first_hit_shows(world: World, answer: str, question: str) -> None:
    hit = world.response.json()["hits"][0]
    assert (hit["snippet"], hit["section"]) == (answer, question)


@then("both answers are the same")
def same_answers(world: World) -> None:
    assert world.response.status_code == world.noted.status_code == 202
    assert world.response.json() == world.noted.json()
    assert world.response.headers["location"] == world.noted.headers["location"]
    assert world.response.headers["idempotency-replayed"] == "true"


@then(parsers.parse("the workspace holds {count:d} document of {most:d}"))
def holds(world: World, count: int, most: int) -> None:
    found = world.service.http.get(f"/v1/workspaces/{world.workspace}").json()
    assert found["holds"]["documents"] == count
    assert found["quota"]["max_documents"] == most
