"""Keeping documents: what is accepted, what is refused, and when a deletion is confirmed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import Receipt, Stage, Status
from orchestrator.domain.errors import (
    Conflict,
    NotFound,
    Rejected,
    TooLarge,
    Unavailable,
    Unsupported,
)
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.indexing.shelf import LEASE_S
from orchestrator.ingestion.purging import Purger
from orchestrator.ingestion.service import (
    DELETED_AT_ONCE,
    DELETED_TOGETHER,
    FOLLOW_S,
    FOLLOWED,
    PURGE_S,
    Ingestion,
)
from orchestrator.ports.catalog import Wanted, Withdrawn
from tests.builders import member, upload
from tests.unit.fakes import NOW, Watcher, hurried
from tests.unit.ingestion.office import document
from tests.unit.ingestion.stores import FakeLibrary, Store

LIMIT = 100


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def cache():
    return Store()


@pytest.fixture
def service(catalog, blobs, library, cache):
    return serving(catalog, blobs, library, cache)


def serving(catalog, blobs, library, cache):
    purger = Purger(catalog, [blobs], [cache], [Store()], library, persists=lambda: True)
    return Ingestion(catalog, blobs, ParserRegistry(), library, purger, Watcher(), max_bytes=LIMIT)


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


def racing(catalog, blobs, library, cache, times):
    parts = {name: getattr(catalog, name) for name in ("workspaces", "deletions", "log")}
    found = SimpleNamespace(**parts, documents=Blindly(catalog.documents, times))
    return serving(found, blobs, library, cache)


@pytest.mark.usefixtures("clerk")
async def test_of_two_first_uploads_at_once_one_is_the_next_version(
    service, catalog, blobs, library, cache, data_dir
):
    first = await service.submit("policies", upload(b"One."))

    second = await racing(catalog, blobs, library, cache, 1).submit("policies", upload(b"Two."))

    assert (second.document.id, second.document.version) == (first.document.id, 2)
    assert {path.parent.name for path in stored(data_dir)} == {first.document.id}


@pytest.mark.usefixtures("clerk")
async def test_an_upload_that_loses_twice_is_a_conflict_and_leaves_nothing(
    service, catalog, blobs, library, cache, data_dir
):
    await service.submit("policies", upload(b"One."))

    with pytest.raises(Conflict):
        await racing(catalog, blobs, library, cache, 2).submit("policies", upload(b"Two."))

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

    found = await serving(catalog, None, catalog, None).document("d1")

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

    ends = [one async for one in serving(catalog, *[None] * 3).follow(["d1", "d2", "d3"])]

    assert ends == [("d2", None), ("d1", "not text"), ("d3", None)]
    assert FOLLOW_S > 0


@hurried
async def test_many_documents_are_followed_in_portions():
    names = [f"d{at}" for at in range(FOLLOWED + 20)]
    catalog = Outcomes()
    catalog.ended = dict.fromkeys(names)

    ends = [one async for one, _ in serving(catalog, *[None] * 3).follow(names)]

    assert ends == names
    assert catalog.asked == [FOLLOWED, 20]


async def test_nothing_to_follow_ends_at_once():
    assert [one async for one in serving(Outcomes(), *[None] * 3).follow([])] == []


async def test_documents_are_listed_by_pages_for_who_may_see_them(service, clerk):
    seen = await clerk.keep("One.", source_id="a", acl={"legal"})
    await clerk.keep("Two.", source_id="b", acl={"board"})

    page = await service.documents("policies", principal=member("legal"), after=None, limit=10)

    assert [one.id for one in page] == [seen.id]


async def test_documents_of_an_unknown_workspace_are_not_found(service):
    with pytest.raises(NotFound):
        await service.documents("nowhere", after=None, limit=10)


async def test_a_deletion_gives_a_receipt_of_every_store(service, clerk, catalog):
    document = await clerk.keep("Refunds are paid.")

    receipt = await service.delete(document.id)

    assert receipt.complete
    assert (await catalog.documents.get(document.id)).status is Status.DELETED


async def test_a_deletion_is_confirmed_when_no_lease_from_before_can_last(service, clerk):
    document = await clerk.keep("Refunds are paid.")
    began = time.monotonic()

    await service.delete(document.id)

    assert time.monotonic() - began >= LEASE_S


async def test_deleting_again_gives_the_same_receipt(service, clerk):
    document = await clerk.keep("Refunds are paid.")
    receipt = await service.delete(document.id)

    assert await service.delete(document.id) == receipt


async def test_deleting_again_purges_what_was_pending(service, clerk, cache):
    document = await clerk.keep("Refunds are paid.")
    cache.down = "connection refused"
    first = await service.delete(document.id)
    cache.down = ""

    again = await service.delete(document.id)

    assert (first.complete, again.complete) == (False, True)
    assert again.revision == first.revision


async def test_an_unknown_document_cannot_be_deleted(service):
    with pytest.raises(NotFound):
        await service.delete("0" * 32)


class Tombstones:
    """A catalog of one deleted document, and a purger that takes its time, and may then fail."""

    def __init__(self, receipt, seconds):
        self.receipt = receipt
        self.seconds = seconds
        self.fails = None
        self.watcher = Watcher()
        self.deletions = self.documents = self

    async def document(self, _document_id):
        return self.receipt

    async def several(self, _workspace, receipts):
        await asyncio.sleep(self.seconds)
        if self.fails:
            raise self.fails
        return [replace(one, stores={"cache": "purged"}) for one in receipts]

    async def get(self, _document_id):
        return SimpleNamespace(id="d1", workspace="uid")

    def served(self):
        return Ingestion(self, None, None, None, self, self.watcher, max_bytes=LIMIT)


@pytest.mark.parametrize(("seconds", "complete"), [(PURGE_S / 2, True), (PURGE_S * 2, False)])
@hurried
async def test_a_receipt_does_not_wait_for_a_slow_store(seconds, complete):
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), seconds)

    receipt = await slow.served().delete("d1")

    assert receipt.complete is complete
    await asyncio.sleep(PURGE_S * 2)


@hurried
async def test_a_purge_that_fails_after_the_receipt_is_told():
    error = Unavailable("catalog", "locked")
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), PURGE_S * 2)
    slow.fails = error

    receipt = await slow.served().delete("d1")
    before = list(slow.watcher.failed_purges)
    await asyncio.sleep(PURGE_S * 2)

    assert (receipt, before) == (slow.receipt, [])
    assert slow.watcher.failed_purges == [("d1", error)]


@hurried
async def test_closing_ends_the_purges_that_still_run():
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), PURGE_S * 2)
    service = slow.served()
    await service.delete("d1")

    await service.close()

    assert len(asyncio.all_tasks()) == 1
    assert slow.watcher.failed_purges == []


@hurried
async def test_a_receipt_that_is_complete_is_given_at_once():
    done = Tombstones(Receipt("d1", 7, NOW, {"cache": "purged"}), PURGE_S)
    clock = asyncio.get_running_loop().time
    began = clock()

    receipt = await done.served().delete("d1")

    assert receipt is done.receipt
    assert clock() - began < LEASE_S / 2


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


async def test_a_deleted_workspace_is_closed_purged_and_its_name_is_free(
    service, clerk, library, cache, catalog
):
    document = await clerk.keep("Refunds are paid.")
    began = time.monotonic()

    await service.delete_workspace("policies")

    assert time.monotonic() - began >= LEASE_S
    assert (library.closed, cache.purged) == ([clerk.uid], [clerk.uid])
    assert (await service.create_workspace("policies", WorkspaceConfig())).uid != clerk.uid
    with pytest.raises(NotFound):
        await catalog.documents.get(document.id)


async def test_an_unknown_workspace_cannot_be_deleted(service, library):
    with pytest.raises(NotFound):
        await service.delete_workspace("nowhere")

    assert library.closed == []


YEAR = Condition("year", "lt", 2020)


async def test_what_matches_is_deleted_with_receipts(service, clerk, catalog):
    old = [await clerk.keep(n, source_id=n, metadata={"year": 2019}) for n in "abc"]
    kept = await clerk.keep("d", source_id="d", metadata={"year": 2020})

    withdrawn, more = await service.delete_matching("policies", YEAR, principal=ANONYMOUS)

    assert sorted(one.document_id for one in withdrawn.receipts) == sorted(one.id for one in old)
    assert (withdrawn.held, more) == ({}, False)
    for one in old:
        assert (await catalog.documents.get(one.id)).receipt.complete
    assert await catalog.documents.get(kept.id) == kept


async def test_what_is_held_is_left_and_told_apart(service, clerk, catalog):
    held = await clerk.keep("a", source_id="a", metadata={"year": 2019})
    await catalog.deletions.hold(held.id, "litigation")
    gone = await clerk.keep("b", source_id="b", metadata={"year": 2019})

    withdrawn, more = await service.delete_matching("policies", YEAR, principal=ANONYMOUS)

    assert [one.document_id for one in withdrawn.receipts] == [gone.id]
    assert (withdrawn.held, more) == ({held.id: "litigation"}, False)


async def test_nobody_deletes_by_filter_what_they_may_not_see(service, clerk, catalog):
    secret = await clerk.keep("a", metadata={"year": 2019}, acl={"board"})

    nothing, _ = await service.delete_matching("policies", YEAR, principal=ANONYMOUS)
    one, _ = await service.delete_matching("policies", YEAR, principal=member("board"))

    assert nothing.receipts == []
    assert [receipt.document_id for receipt in one.receipts] == [secret.id]


async def test_very_many_are_deleted_in_several_calls():
    catalog = Crowd(DELETED_AT_ONCE + 3)
    service = catalog.served()

    first, more = await service.delete_matching("policies", YEAR, principal=ANONYMOUS)
    second, rest = await service.delete_matching("policies", YEAR, principal=ANONYMOUS)

    assert (len(first.receipts), more) == (DELETED_AT_ONCE, True)
    assert (len(second.receipts), rest) == (3, False)
    assert catalog.most == DELETED_TOGETHER


class Crowd:
    """A catalog of very many documents, and a purger that finds nothing to do."""

    def __init__(self, many):
        self.left = [f"{number:05}" for number in range(many)]
        self.workspaces = self.documents = self
        self.deletions = SimpleNamespace(documents=self.delete)
        self.most = 0

    async def get(self, _name):
        return SimpleNamespace(uid="uid")

    async def list(self, _uid, *, principal, after, limit, wanted):
        assert wanted.filters is YEAR
        page = [one for one in self.left if one > (after or "")][:limit]
        return [SimpleNamespace(id=one) for one in page]

    async def delete(self, ids):
        self.most = max(self.most, len(ids))
        self.left = [one for one in self.left if one not in ids]
        return Withdrawn([Receipt(one, 7, NOW, {}) for one in ids])

    async def several(self, _workspace, receipts):
        return receipts

    def served(self):
        return Ingestion(self, None, None, None, self, Watcher(), max_bytes=LIMIT)


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
