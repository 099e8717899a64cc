"""Keeping documents: what is accepted, what is refused, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import Stage, Status
from orchestrator.domain.errors import (
    Conflict,
    NotFound,
    Rejected,
    TooLarge,
    Unsupported,
)
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ingestion.service import (
    FOLLOW_S,
    FOLLOWED,
    Ingestion,
)
from orchestrator.ports.catalog import Wanted
from tests.builders import member, upload
from tests.unit.fakes import hurried
from tests.unit.ingestion.office import document
from tests.unit.ingestion.stores import FakeLibrary

LIMIT = 100


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def service(catalog, blobs, library):
    return serving(catalog, blobs, library)


def serving(catalog, blobs, library):
    return Ingestion(catalog, blobs, ParserRegistry(), library, max_bytes=LIMIT)


def stored(data_dir):
    return sorted(path for path in (data_dir / "blobs").rglob("*") if path.is_file())


async def test_an_upload_is_stored_and_queued(service, clerk, queue, data_dir):
    registered = await service.submit("policies", upload(b"Refunds are paid."))

    document = registered.document
    (job,) = await queue.claim("w", limit=9, seconds=60)
    assert (document.status, document.version, registered.duplicate) == (Status.QUEUED, 1, False)
    assert (document.media_type, document.size) == ("text/plain", 17)
    assert (job.document_id, job.workspace) == (document.id, clerk.uid)
    assert [path.read_bytes() for path in stored(data_dir)] == [b"Refunds are paid."]
    assert service.arrived.is_set()


@pytest.mark.usefixtures("clerk")
async def test_the_same_bytes_again_are_no_change(service, data_dir):
    first = await service.submit("policies", upload(b"Refunds are paid."))

    again = await service.submit("policies", upload(b"Refunds are paid."))

    assert again.duplicate
    assert (again.document.id, again.document.version) == (first.document.id, 1)
    assert len(stored(data_dir)) == 1


@pytest.mark.usefixtures("clerk")
async def test_other_bytes_are_the_next_version_of_the_same_document(service):
    first = await service.submit("policies", upload(b"Refunds are paid."))

    again = await service.submit("policies", upload(b"Refunds are not paid."))

    assert not again.duplicate
    assert (again.document.id, again.document.version) == (first.document.id, 2)


@pytest.mark.usefixtures("clerk")
async def test_the_same_bytes_under_another_name_are_another_document(service):
    first = await service.submit("policies", upload(source_id="a.txt"))

    other = await service.submit("policies", upload(source_id="b.txt"))

    assert other.document.id != first.document.id
    assert not other.duplicate


@pytest.mark.parametrize(
    ("content", "error", "code"),
    [
        (b"x" * (LIMIT + 1), TooLarge, "too_large"),
        (b"\x89PNG\r\n\x1a\n ...", Unsupported, "unsupported_content"),
        (b"\x00\x01\x02", Unsupported, "unsupported_content"),
        (b"", Unsupported, "empty_document"),
        (b" \n ", Unsupported, "empty_document"),
    ],
)
@pytest.mark.usefixtures("clerk")
async def test_content_that_is_not_taken_leaves_nothing_behind(
    service, queue, data_dir, content, error, code
):
    with pytest.raises(error) as caught:
        await service.submit("policies", upload(content))

    assert (caught.value.code, caught.value.field) == (code, "file")
    assert stored(data_dir) == []
    assert await queue.claim("w", limit=9, seconds=60) == []
    assert not service.arrived.is_set()


@pytest.mark.usefixtures("clerk")
async def test_content_at_the_limit_is_taken(service):
    registered = await service.submit("policies", upload(b"x" * LIMIT))

    assert registered.document.size == LIMIT


@pytest.mark.usefixtures("clerk")
async def test_an_upload_to_an_unknown_workspace_is_not_found(service, data_dir):
    with pytest.raises(NotFound):
        await service.submit("nowhere", upload())

    assert stored(data_dir) == []


class Blindly:
    """Documents that do not find what is there, so often as told."""

    def __init__(self, inner, times):
        self._inner = inner
        self._times = times

    async def known(self, workspace, source_ids):
        self._times -= 1
        return {} if self._times >= 0 else await self._inner.known(workspace, source_ids)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def racing(catalog, blobs, library, times):
    parts = {name: getattr(catalog, name) for name in ("workspaces", "deletions", "log")}
    found = SimpleNamespace(**parts, documents=Blindly(catalog.documents, times))
    return serving(found, blobs, library)


@pytest.mark.usefixtures("clerk")
async def test_of_two_first_uploads_at_once_one_is_the_next_version(
    service, catalog, blobs, library, data_dir
):
    first = await service.submit("policies", upload(b"One."))

    second = await racing(catalog, blobs, library, 1).submit("policies", upload(b"Two."))

    assert (second.document.id, second.document.version) == (first.document.id, 2)
    assert {path.parent.name for path in stored(data_dir)} == {first.document.id}


@pytest.mark.usefixtures("clerk")
async def test_an_upload_that_loses_twice_is_a_conflict_and_leaves_nothing(
    service, catalog, blobs, library, data_dir
):
    await service.submit("policies", upload(b"One."))

    with pytest.raises(Conflict):
        await racing(catalog, blobs, library, 2).submit("policies", upload(b"Two."))

    assert [path.read_bytes() for path in stored(data_dir)] == [b"One."]


async def test_an_indexed_document_that_this_process_finds_is_indexed(service, clerk, library):
    document = await clerk.keep("Refunds are paid.")

    assert (await service.document(document.id)).status is Status.INDEXED
    assert library.settled == ["policies"]


async def test_an_indexed_document_that_this_process_does_not_find_yet_is_in_progress(
    service, clerk, library
):
    document = await clerk.keep("Refunds are paid.")
    library.revision = document.revision - 1

    assert (await service.document(document.id)).status is Status.PROCESSING


async def test_a_queued_document_is_what_the_catalog_says(service, clerk, library):
    document = (await clerk.hand_in("Refunds are paid.")).document

    assert await service.document(document.id) == document
    assert library.settled == []


async def test_an_unknown_document_is_not_found(service):
    with pytest.raises(NotFound):
        await service.document("0" * 32)


async def test_a_document_whose_workspace_was_deleted_is_not_found_or_in_progress(
    service, clerk, catalog
):
    document = await clerk.keep("Refunds are paid.")
    await catalog.deletions.workspace("policies")

    assert (await service.document(document.id)).status is not Status.INDEXED


class OneDocument:
    """A catalog of one indexed document, and a library that does not find it."""

    def __init__(self, error=None):
        self.documents = self.workspaces = self
        self.error = error
        self.known = document("d1", status=Status.INDEXED, revision=7)

    async def get(self, _document_id):
        return self.known

    async def by_uid(self, _uid):
        return SimpleNamespace(name="policies")

    async def settle(self, _name):
        if self.error:
            raise self.error
        await asyncio.Event().wait()


@pytest.mark.parametrize("error", [None, NotFound("deleted meanwhile")])
@hurried
async def test_an_index_that_does_not_catch_up_in_time_makes_nobody_wait(error):
    catalog = OneDocument(error)

    found = await serving(catalog, None, catalog).document("d1")

    assert found == replace(catalog.known, status=Status.PROCESSING, stage=Stage.INDEXING)
    assert found.progress == Stage.INDEXING.progress


class Outcomes:
    """A catalog whose documents end one by one, each time that it is asked."""

    def __init__(self, **ends):
        self.ends = list(ends.items())
        self.ended = {}
        self.asked = []
        self.documents = self

    async def outcomes(self, ids):
        self.asked.append(len(ids))
        if len(self.asked) % 2 == 0 and self.ends:
            self.ended.update([self.ends.pop(0)])
        return {one: error for one, error in self.ended.items() if one in ids}


@hurried
async def test_documents_are_followed_to_their_ends():
    catalog = Outcomes(d2=None, d1="not text", d3=None)

    ends = [one async for one in serving(catalog, *[None] * 2).follow(["d1", "d2", "d3"])]

    assert ends == [("d2", None), ("d1", "not text"), ("d3", None)]
    assert FOLLOW_S > 0


@hurried
async def test_many_documents_are_followed_in_portions():
    names = [f"d{at}" for at in range(FOLLOWED + 20)]
    catalog = Outcomes()
    catalog.ended = dict.fromkeys(names)

    ends = [one async for one, _ in serving(catalog, *[None] * 2).follow(names)]

    assert ends == names
    assert catalog.asked == [FOLLOWED, 20]


async def test_nothing_to_follow_ends_at_once():
    assert [one async for one in serving(Outcomes(), *[None] * 2).follow([])] == []


async def test_documents_are_listed_by_pages_for_who_may_see_them(service, clerk):
    seen = await clerk.keep("One.", source_id="a", acl={"legal"})
    await clerk.keep("Two.", source_id="b", acl={"board"})

    page = await service.documents("policies", principal=member("legal"), after=None, limit=10)

    assert [one.id for one in page] == [seen.id]


async def test_documents_of_an_unknown_workspace_are_not_found(service):
    with pytest.raises(NotFound):
        await service.documents("nowhere", after=None, limit=10)


async def test_a_workspace_is_created_under_a_name_that_is_one(service):
    created = await service.create_workspace("legal", WorkspaceConfig(depth=7))

    assert (created.name, created.revision, created.config.depth) == ("legal", 0, 7)


async def test_a_workspace_is_not_created_under_a_name_that_is_none(service):
    with pytest.raises(Rejected, match="is not a name"):
        await service.create_workspace("Legal!", WorkspaceConfig())


@pytest.mark.usefixtures("clerk")
async def test_a_name_that_is_taken_is_a_conflict(service):
    with pytest.raises(Conflict):
        await service.create_workspace("policies", WorkspaceConfig())


async def test_a_workspace_is_ensured_once(service):
    first = await service.ensure_workspace("legal", WorkspaceConfig())

    again = await service.ensure_workspace("legal", WorkspaceConfig(depth=7))

    assert (again.uid, again.config) == (first.uid, first.config)


async def test_the_processing_time_is_that_of_all_that_waits(service, clerk):
    service._pace.worked(1, 0.5)
    for name in "abc":
        await clerk.hand_in(name, source_id=name)

    assert await service.processing_time() == pytest.approx(1.5)


async def test_the_list_is_narrowed_as_wished(service, clerk):
    await clerk.hand_in("a", source_id="a/1")
    await clerk.hand_in("b", source_id="b/1")

    found = await service.documents(
        "policies", after=None, limit=9, wanted=Wanted(source_prefix="b/")
    )

    assert [one.source_id for one in found] == ["b/1"]
