"""A document's particulars over HTTP: pages, a harmless download, holds, deletion by filter."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from io import BytesIO
from urllib.parse import unquote

import pytest

from orchestrator.domain.documents import Hold, Receipt, Stage, Status, Version
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.filters import Condition
from orchestrator.http.records import attachment
from orchestrator.ports.catalog import Withdrawn
from tests.builders import chunk
from tests.unit.fakes import NOW
from tests.unit.ingestion.office import document

HOSTILE = b"<script>alert(document.domain)</script>"


def version(number, **values):
    known = {
        "title": "Refunds",
        "media_type": "text/html",
        "size": len(HOSTILE),
        "content_hash": "c0ffee",
        "created_at": NOW,
        "status": None,
        "chunks": 3,
        "blob_key": "secret key",
    }
    return Version(document_id="d1", number=number, **{**known, **values})


class Records:
    """Five chunks and three versions of one document, whose only id is `d1`."""

    def __init__(self):
        self.asked = []
        self.held = None
        self.file = None

    def knows(self, document_id):
        if document_id != "d1":
            raise NotFound(f"there is no document '{document_id}'", code="unknown_document")

    async def versions(self, document_id, *, principal, before, limit):
        self.knows(document_id)
        status = {3: Status.QUEUED, 2: Status.INDEXED, 1: None}
        numbers = [number for number in status if before is None or number < before]
        return [version(number, status=status[number]) for number in numbers][:limit]

    async def chunks(self, document_id, *, principal, after, limit):
        self.knows(document_id)
        return [chunk(f"Text {n}.", chunk_id=n) for n in range(1, 6) if n > after][:limit]

    @asynccontextmanager
    async def original(self, document_id, *, principal, number):
        self.knows(document_id)
        self.asked.append((principal.subject, number))
        self.file = BytesIO(HOSTILE)
        with self.file:
            yield document("d1", source_id="up/evil.html"), version(number or 3), self.file

    async def reprocess(self, document_id):
        self.knows(document_id)
        return document("d1", stage=Stage.QUEUED)

    async def hold(self, document_id, reason):
        self.knows(document_id)
        self.held = reason
        return document("d1", hold=Hold(reason, NOW) if reason else None)


class Ingestion:
    """Has little to do."""

    async def processing_time(self):
        return 0.44


class Withdrawals:
    """Deletes what is asked, but for what is held."""

    async def matching(self, workspace, filters, *, principal):
        self.asked = (workspace, filters, principal.subject)
        return Withdrawn(
            [Receipt("d1", 7, NOW, {}), Receipt("d2", 8, NOW, {})], {"d3": "why"}
        ), True


@pytest.fixture
def kept(service):
    service.app.state.application.records = service.records = Records()
    service.app.state.application.ingestion = service.ingestion = Ingestion()
    service.app.state.application.withdrawals = service.withdrawals = Withdrawals()
    return service


async def test_versions_come_in_pages_newest_first(kept):
    first = (await kept.http.get("/v1/documents/d1/versions?limit=2")).json()
    rest = (await kept.http.get(f"/v1/documents/d1/versions?before={first['next']}")).json()

    told = [(one["version"], one["status"]) for one in first["versions"] + rest["versions"]]
    assert told == [(3, "queued"), (2, "indexed"), (1, "superseded")]
    assert rest["next"] is None
    assert rest["versions"][0] == {
        "version": 1,
        "title": "Refunds",
        "media_type": "text/html",
        "size": len(HOSTILE),
        "sha256": "c0ffee",
        "created_at": "2026-01-01T00:00:00Z",
        "status": "superseded",
        "chunks": 3,
    }


async def test_chunks_come_in_pages(kept):
    found, after = [], "0"
    while after:
        page = (await kept.http.get(f"/v1/documents/d1/chunks?limit=2&after={after}")).json()
        found += page["chunks"]
        after = page["next"]

    assert [one["id"] for one in found] == ["1", "2", "3", "4", "5"]
    assert found[0] == {
        "id": "1",
        "text": "Text 1.",
        "page": None,
        "section": None,
        "start": 0,
        "end": 7,
    }


@pytest.mark.parametrize(
    "query",
    [
        "chunks?after=-1",
        "chunks?after=x",
        f"chunks?after={2**63}",
        "chunks?limit=0",
        "versions?before=0",
        f"versions?before={2**63}",
        "original?version=0",
    ],
)
async def test_a_cursor_that_is_none_is_refused(kept, query):
    response = await kept.http.get(f"/v1/documents/d1/{query}")

    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_a_download_is_saved_and_never_shown(kept):
    response = await kept.http.get("/v1/documents/d1/original")

    assert (response.status_code, response.content) == (200, HOSTILE)
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-length"] == str(len(HOSTILE))
    assert response.headers["content-disposition"].startswith("attachment; ")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    assert kept.records.file.closed


async def test_a_version_of_the_original_is_asked_for_by_its_number(kept):
    await kept.http.get("/v1/documents/d1/original")
    await kept.http.get("/v1/documents/d1/original?version=2")

    assert kept.records.asked == [("anonymous", None), ("anonymous", 2)]


@pytest.mark.parametrize(
    ("source_id", "name"),
    [
        ("refunds.txt", "refunds.txt"),
        ("policies/refunds.txt", "refunds.txt"),
        ("C:\\docs\\refunds.txt", "refunds.txt"),
        ("../../etc/passwd", "passwd"),
        ("https://example.org/a?b=c", "a?b=c"),
        ("Rückgabe – 返金.pdf", "Rückgabe – 返金.pdf"),
        ('a"; filename="evil.exe', 'a"; filename="evil.exe'),
        ("a\r\nSet-Cookie: x=1", "aSet-Cookie: x=1"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        (".bashrc", "bashrc"),
        ("..", "document"),
        ("/", "document"),
        ("x" * 1000 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_a_download_is_named_safely_for_every_client(source_id, name):
    header = attachment(source_id)

    form = re.fullmatch(
        r"attachment; filename=\"([\w .-]+)\"; filename\*=UTF-8''([\w.%~-]+)", header, re.ASCII
    )
    assert form, header
    assert unquote(form[2]) == name
    assert len(form[1]) == len(name)


async def test_a_document_is_queued_again(kept):
    response = await kept.http.post("/v1/documents/d1:reprocess")

    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["location"] == "/v1/documents/d1"
    assert response.headers["x-processing-time"] == "0.4"


async def test_a_document_is_held_for_a_reason_and_released(kept):
    held = await kept.http.put("/v1/documents/d1/hold", json={"reason": " litigation "})
    reason = kept.records.held
    released = await kept.http.delete("/v1/documents/d1/hold")

    assert (held.status_code, reason) == (200, "litigation")
    assert held.json()["hold"]["reason"] == "litigation"
    assert (released.status_code, released.json()["hold"]) == (200, None)
    assert kept.records.held is None


@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": "x" * 1001}, {"why": "x"}])
async def test_a_hold_needs_a_reason(kept, body):
    response = await kept.http.put("/v1/documents/d1/hold", json=body)

    assert response.status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing/versions"),
        ("GET", "nothing/chunks"),
        ("GET", "nothing/original"),
        ("POST", "nothing:reprocess"),
        ("PUT", "nothing/hold"),
        ("DELETE", "nothing/hold"),
    ],
)
async def test_an_unknown_document_is_not_found(kept, method, path):
    body = {"reason": "litigation"} if method == "PUT" else None

    response = await kept.http.request(method, f"/v1/documents/{path}", json=body)

    assert (response.status_code, response.json()["code"]) == (404, "unknown_document")


async def test_what_matches_is_deleted_and_what_is_held_told_apart(kept):
    body = {"workspace": "legal", "filters": {"field": "year", "op": "lt", "value": 2019}}

    response = await kept.http.post("/v1/documents:delete", json=body)

    assert response.json() == {
        "count": 2,
        "deleted": ["d1", "d2"],
        "held": [{"id": "d3", "reason": "why"}],
        "more": True,
    }
    assert kept.withdrawals.asked == ("legal", Condition("year", "lt", 2019), "anonymous")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"workspace": "legal"}, "invalid_request"),
        ({"workspace": "legal", "filters": None}, "invalid_request"),
        ({"workspace": "legal", "filters": {}}, "invalid_filter"),
        ({"workspace": "legal", "filters": {"and": []}}, "invalid_filter"),
        ({"filters": {"field": "year", "op": "lt", "value": 1}}, "invalid_request"),
    ],
)
async def test_nothing_is_deleted_without_a_workspace_and_a_condition(kept, body, code):
    response = await kept.http.post("/v1/documents:delete", json=body)

    assert (response.status_code, response.json()["code"]) == (422, code)
    assert not hasattr(kept.ingestion, "asked")


async def test_a_legal_hold_is_a_conflict_that_says_why(kept):
    async def held(_document_id):
        raise Conflict("the document is under legal hold: litigation", code="legal_hold")

    kept.withdrawals.document = held

    response = await kept.http.delete("/v1/documents/d1")

    assert (response.status_code, response.json()["code"]) == (409, "legal_hold")
    assert "litigation" in response.json()["detail"]
