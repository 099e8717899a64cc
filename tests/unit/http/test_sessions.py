"""`/v1/sessions`, and questions in them, over a catalog of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from orchestrator.domain.answers import Query
from orchestrator.domain.sessions import Exchange
from orchestrator.domain.workspaces import WorkspaceConfig
from tests.unit.http.conftest import Service


@pytest.fixture
async def catalog(service: Service, data_dir) -> AsyncIterator[SqlCatalog]:
    async with open_sqlite(data_dir / "catalog.db") as database:
        catalog = SqlCatalog(database)
        await catalog.workspaces.create("default", WorkspaceConfig())
        service.app.state.application.catalog = catalog
        yield catalog


async def begun(service, **body):
    made = await service.http.post("/v1/sessions", json=body)
    assert made.status_code == 201, made.text
    return made.json()


async def test_a_session_is_begun_read_and_deleted(service, catalog):
    made = await begun(service, title=" Refunds ")
    path = f"/v1/sessions/{made['id']}"

    read = await service.http.get(path)
    deleted = await service.http.delete(path)
    gone = await service.http.get(path)

    assert read.json() == {**made, "messages": [], "before": None}
    assert (made["workspace"], made["title"]) == ("default", "Refunds")
    assert (deleted.status_code, gone.json()["code"]) == (204, "unknown_session")


async def test_a_session_of_somebody_else_is_not_found(service, catalog):
    workspace = await catalog.workspaces.get("default")
    theirs = await catalog.sessions.create(workspace.uid, "ada", title="Secret")
    path = f"/v1/sessions/{theirs.id}"

    for response in (await service.http.get(path), await service.http.delete(path)):
        assert (response.status_code, response.json()["code"]) == (404, "unknown_session")
    assert (await service.http.get("/v1/sessions")).json() == {"sessions": [], "next": None}
    assert await catalog.sessions.get(theirs.id, subject="ada") == theirs


async def test_sessions_are_listed_a_page_at_a_time(service, catalog):
    made = {(await begun(service))["id"] for _ in range(3)}

    first = (await service.http.get("/v1/sessions", params={"limit": 2})).json()
    rest = (
        await service.http.get("/v1/sessions", params={"limit": 2, "after": first["next"]})
    ).json()

    assert {one["id"] for one in (*first["sessions"], *rest["sessions"])} == made
    assert (len(first["sessions"]), rest["next"]) == (2, None)


async def test_messages_are_read_a_page_at_a_time(service, catalog):
    made = await begun(service)
    for number in range(3):
        await catalog.sessions.append(made["id"], Exchange(f"{number}?", f"{number}.", True, ()))
    path = f"/v1/sessions/{made['id']}"

    last = (await service.http.get(path, params={"limit": 2})).json()
    earlier = (await service.http.get(path, params={"limit": 2, "before": last["before"]})).json()

    assert [one["text"] for one in last["messages"]] == ["1?", "1.", "2?", "2."]
    assert [one["text"] for one in earlier["messages"]] == ["0?", "0."]
    assert (last["before"], earlier["before"]) == (2, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\x00"}, "title"),
        ({"subject": "ada"}, "subject"),
    ],
)
async def test_what_is_no_session_is_refused_naming_the_field(service, catalog, body, field):
    response = await service.http.post("/v1/sessions", json=body)

    assert response.status_code == 422
    assert field in response.text


async def test_there_is_no_session_in_an_unknown_workspace(service, catalog):
    response = await service.http.post("/v1/sessions", json={"workspace": "nowhere"})

    assert (response.status_code, response.json()["code"]) == (404, "unknown_workspace")


async def test_a_question_names_its_session(service):
    await service.ask(session="s1")
    await service.ask()

    assert service.answering.asked == [Query("Paid?", session="s1"), Query("Paid?")]


@pytest.mark.parametrize("session", ["", "s" * 65, "a\x00", 7])
async def test_what_names_no_session_is_refused(service, session):
    response = await service.ask(session=session)

    assert (response.status_code, service.answering.asked) == (422, [])
