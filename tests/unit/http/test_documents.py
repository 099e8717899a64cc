"""Uploading: how a form becomes a document, and what is said of a form that does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest

from orchestrator.domain.documents import Hold, Reading, Receipt, Stage, Status
from orchestrator.domain.errors import NotFound
from orchestrator.domain.filters import Condition
from orchestrator.ports.catalog import Registered, Wanted
from orchestrator.settings import load
from tests.unit.fakes import NOW
from tests.unit.http.conftest import Service
from tests.unit.http.intake import intake_of
from tests.unit.ingestion.office import document


class Ingestion:
    """Takes everything, and remembers it."""

    def __init__(self):
        self.uploads = []
        self.known = [document(f"d{at}", status=Status.INDEXED) for at in range(1, 6)]
        self.duplicate = False

    async def submit(self, workspace, upload):
        kept = replace(upload, content=BytesIO(upload.content.read()))
        self.uploads.append((workspace, kept))
        stage = None if self.duplicate else Stage.QUEUED
        return Registered(document("d1", title=upload.title or "", stage=stage), self.duplicate)

    async def document(self, document_id):
        for one in self.known:
            if one.id == document_id:
                return one
        raise NotFound(f"there is no document '{document_id}'", code="unknown_document")

    async def processing_time(self):
        return 12.345

    async def documents(self, workspace, *, principal, after, limit, wanted):
        self.asked = (workspace, principal.subject)
        self.wanted = wanted
        return [one for one in self.known if one.id > (after or "")][:limit]


class Withdrawals:
    """Deletes what is known, but for the cache's copy."""

    def __init__(self, ingestion):
        self.ingestion = ingestion

    async def document(self, document_id):
        await self.ingestion.document(document_id)
        stores = {"catalog": "purged", "cache": "pending: redis is down"}
        return Receipt(document_id, 8, datetime(2026, 1, 2, tzinfo=UTC), stores)


class Records:
    """Knows of two documents that are like every other."""

    async def alike(self, document, *, principal):
        return ["d8", "d9"] if document.seen_by(principal) else []


def with_ingestion(service):
    service.app.state.application.ingestion = service.ingestion = Ingestion()
    service.app.state.application.intake = intake_of(service.ingestion)
    service.app.state.application.withdrawals = Withdrawals(service.ingestion)
    service.app.state.application.records = Records()
    return service


@pytest.fixture
def keeping(service):
    return with_ingestion(service)


async def send(service, content=b"Refunds are paid.", name="refunds.txt", **form):
    return await service.http.post("/v1/documents", files={"file": (name, content)}, data=form)


async def uploaded(service, *content, **form):
    response = await send(service, *content, **form)
    assert response.status_code == 202, response.text
    return service.ingestion.uploads[-1]


async def test_a_file_alone_is_a_document_for_everyone(keeping):
    workspace, upload = await uploaded(keeping)

    assert workspace == "default"
    assert (upload.source_id, upload.filename) == ("refunds.txt", "refunds.txt")
    assert (upload.content.getvalue(), upload.title) == (b"Refunds are paid.", None)
    assert (upload.metadata, upload.acl) == ({}, {"everyone"})


async def test_a_form_says_the_rest(keeping):
    metadata = {"year": 2026, "share": 0.5, "draft": False, "tags": ["a", 1], "owner": None}

    workspace, upload = await uploaded(
        keeping,
        workspace="legal",
        source_id=" policies/refunds ",
        title="Refunds",
        metadata=json.dumps(metadata),
        acl="legal, board",
    )

    assert workspace == "legal"
    assert (upload.source_id, upload.filename) == ("policies/refunds", "refunds.txt")
    assert (upload.title, upload.metadata) == ("Refunds", metadata)
    assert upload.metadata["draft"] is False
    assert upload.acl == {"legal", "board"}


@pytest.mark.parametrize(
    ("acl", "groups"),
    [
        ("legal", {"legal"}),
        ("legal,board", {"legal", "board"}),
        (" legal , board ", {"legal", "board"}),
        ("legal,legal", {"legal"}),
        ('["legal", "a, b"]', {"legal", "a, b"}),
        (' ["legal"]', {"legal"}),
    ],
)
async def test_groups_are_a_json_list_or_parted_by_commas(keeping, acl, groups):
    _, upload = await uploaded(keeping, acl=acl)

    assert upload.acl == groups


@pytest.mark.parametrize(
    "acl",
    [
        " ",
        ",",
        "legal,",
        "legal,,board",
        "[]",
        '[""]',
        '["legal", 7]',
        '["legal"',
        "[null]",
        '[" "]',
    ],
)
async def test_groups_that_are_none_are_refused(keeping, acl):
    response = await send(keeping, acl=acl)

    body = response.json()
    assert (response.status_code, body["code"], body["field"]) == (422, "invalid_acl", "acl")
    assert keeping.ingestion.uploads == []


@pytest.mark.parametrize(
    "metadata",
    [
        "{",
        "[]",
        "7",
        "null",
        '"year"',
        '{"a": {"b": 1}}',
        '{"a": [[1]]}',
        '{"a": [null]}',
        '{"a": NaN}',
        '{"a": Infinity}',
    ],
)
async def test_metadata_that_is_none_is_refused(keeping, metadata):
    response = await send(keeping, metadata=metadata)

    body = response.json()
    assert (response.status_code, body["code"]) == (422, "invalid_metadata")
    assert body["field"] == "metadata"
    assert "metadata must be a JSON object" in body["detail"]
    assert keeping.ingestion.uploads == []


async def test_a_form_without_a_file_is_refused(keeping):
    response = await keeping.http.post("/v1/documents", data={"title": "Refunds"})

    body = response.json()
    assert (response.status_code, body["field"]) == (422, "file")


async def test_a_name_that_is_too_long_is_refused(keeping):
    response = await send(keeping, source_id="x" * 1025)

    body = response.json()
    assert (response.status_code, body["field"]) == (422, "source_id")


async def test_an_accepted_upload_says_where_to_follow_it(keeping):
    response = await send(keeping)

    body = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == "/v1/documents/d1"
    assert (body["id"], body["status"], body["duplicate"]) == ("d1", "queued", False)


async def test_an_accepted_upload_says_how_long_it_will_take(keeping):
    assert (await send(keeping)).headers["x-processing-time"] == "12.3"


async def test_an_upload_that_is_there_already_says_so_and_takes_no_time(keeping):
    keeping.ingestion.duplicate = True

    response = await send(keeping)

    assert response.json()["duplicate"] is True
    assert response.headers["x-processing-time"] == "0.0"


@pytest.fixture
def small():
    return with_ingestion(Service(load(profile="mock", http={"max_upload_bytes": 1000})))


@pytest.mark.parametrize("size", [1001, 150_000])
async def test_a_file_that_is_too_large_is_refused(small, size):
    response = await send(small, b"x" * size)

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert small.ingestion.uploads == []


async def test_a_file_at_the_limit_is_taken(small):
    _, upload = await uploaded(small, b"x" * 1000)

    assert len(upload.content.getvalue()) == 1000


async def test_a_file_may_be_larger_than_a_question(keeping):
    _, upload = await uploaded(keeping, b"x" * 1_200_000)

    assert len(upload.content.getvalue()) == 1_200_000


async def test_documents_are_listed_page_by_page(keeping):
    pages, after = [], None
    for _ in range(3):
        params = {"limit": 2, **({"after": after} if after else {})}
        page = (await keeping.http.get("/v1/documents", params=params)).json()
        pages.append([one["id"] for one in page["documents"]])
        after = page["next"]

    assert (pages, after) == ([["d1", "d2"], ["d3", "d4"], ["d5"]], None)
    assert keeping.ingestion.asked == ("default", "anonymous")


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
async def test_a_page_of_any_other_size_is_refused(keeping, limit):
    response = await keeping.http.get("/v1/documents", params={"limit": limit})

    assert (response.status_code, response.json()["field"]) == (422, "limit")


async def test_a_document_is_followed_by_its_id(keeping):
    failed = replace(
        keeping.ingestion.known[0], status=Status.FAILED, error="not text", error_code="broken_file"
    )
    keeping.ingestion.known = [failed]

    body = (await keeping.http.get("/v1/documents/d1")).json()

    assert (body["id"], body["status"]) == ("d1", "failed")
    assert (body["error"], body["error_code"]) == ("not text", "broken_file")
    assert body["acl"] == ["everyone"]
    assert body["sha256"] == "c0ffee"


async def test_a_list_is_narrowed_by_status_source_id_and_metadata(keeping):
    filters = {"field": "year", "op": "gte", "value": 2026}
    params = {"status": "failed", "source_id": "policies/", "filters": json.dumps(filters)}

    response = await keeping.http.get("/v1/documents", params=params)

    assert response.status_code == 200
    condition = Condition("year", "gte", 2026)
    assert keeping.ingestion.wanted == Wanted(Status.FAILED, "policies/", condition)


async def test_a_list_that_is_not_narrowed_holds_everything(keeping):
    await keeping.http.get("/v1/documents")

    assert keeping.ingestion.wanted == Wanted()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("status", "deleted", "invalid_request"),
        ("filters", "{", "invalid_filter"),
        ("filters", "", "invalid_filter"),
        ("filters", "{}", "invalid_filter"),
        ("filters", "[" * 20_000, "invalid_filter"),
        ("filters", '{"field": "a", "op": "like", "value": 1}', "invalid_filter"),
        ("source_id", "x" * 1025, "invalid_request"),
    ],
)
async def test_a_list_that_cannot_be_narrowed_so_is_refused(keeping, name, value, code):
    response = await keeping.http.get("/v1/documents", params={name: value})

    body = response.json()
    assert (response.status_code, body["code"]) == (422, code)
    assert body["field"].startswith(name)


async def test_a_document_shows_what_was_learnt_by_reading_it(keeping):
    reading = Reading(12, ["page 3 has no text layer"], {"author": "Ada"}, {"total": 2.0})
    keeping.ingestion.known = [
        document("d1", status=Status.INDEXED, reading=reading, queued_at=NOW, indexed_at=NOW)
    ]

    body = (await keeping.http.get("/v1/documents/d1")).json()

    assert (body["status"], body["progress"], body["stage"]) == ("indexed", 1.0, None)
    assert (body["pages"], body["warnings"]) == (12, ["page 3 has no text layer"])
    assert (body["properties"], body["timings"]) == ({"author": "Ada"}, {"total": 2.0})
    assert body["queued_at"] == body["indexed_at"] == "2026-01-01T00:00:00Z"
    assert body["near_duplicates"] == ["d8", "d9"]


async def test_near_duplicates_are_not_told_to_who_may_not_see_the_document(keeping):
    keeping.ingestion.known = [document("d1", acl=frozenset({"board"}))]

    assert (await keeping.http.get("/v1/documents/d1")).json()["near_duplicates"] == []


@pytest.mark.parametrize(
    ("status", "stage", "progress"),
    [
        (Status.QUEUED, Stage.QUEUED, 0.0),
        (Status.PROCESSING, Stage.PARSING, 0.1),
        (Status.PROCESSING, Stage.EMBEDDING, 0.5),
        (Status.PROCESSING, Stage.INDEXING, 0.9),
        (Status.FAILED, None, None),
    ],
)
async def test_a_document_on_its_way_says_how_far_it_is(keeping, status, stage, progress):
    keeping.ingestion.known = [document("d1", status=status, stage=stage)]

    body = (await keeping.http.get("/v1/documents/d1")).json()

    assert (body["stage"], body["progress"]) == (stage, progress)


async def test_a_held_document_says_why(keeping):
    keeping.ingestion.known = [document("d1", hold=Hold("litigation", NOW))]

    body = (await keeping.http.get("/v1/documents/d1")).json()

    assert body["hold"] == {"reason": "litigation", "since": "2026-01-01T00:00:00Z"}


async def test_a_deleted_document_shows_its_receipt(keeping):
    receipt = await Withdrawals(keeping.ingestion).document("d1")
    gone = replace(keeping.ingestion.known[0], status=Status.DELETED, receipt=receipt)
    keeping.ingestion.known = [gone]

    body = (await keeping.http.get("/v1/documents/d1")).json()

    assert body["status"] == "deleted"
    assert body["receipt"]["stores"]["cache"] == "pending: redis is down"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_unknown_document_is_not_found(keeping, method):
    response = await keeping.http.request(method, "/v1/documents/nothing")

    assert (response.status_code, response.json()["code"]) == (404, "unknown_document")


async def test_a_deletion_gives_its_receipt(keeping):
    body = (await keeping.http.delete("/v1/documents/d1")).json()

    assert body == {
        "document_id": "d1",
        "revision": 8,
        "deleted_at": "2026-01-02T00:00:00Z",
        "complete": False,
        "stores": {"catalog": "purged", "cache": "pending: redis is down"},
    }
