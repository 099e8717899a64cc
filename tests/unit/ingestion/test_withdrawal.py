"""Taking documents back: what is purged, and when a deletion is confirmed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from orchestrator.domain.documents import Receipt, Status
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.indexing.shelf import LEASE_S
from orchestrator.ingestion.purging import Purger
from orchestrator.ingestion.withdrawal import (
    DELETED_AT_ONCE,
    DELETED_TOGETHER,
    PURGE_S,
    Withdrawals,
)
from orchestrator.ports.catalog import Withdrawn
from tests.builders import member
from tests.unit.fakes import NOW, Watcher, hurried
from tests.unit.ingestion.stores import FakeLibrary, Store


@pytest.fixture
def library():
    return FakeLibrary()


@pytest.fixture
def cache():
    return Store()


@pytest.fixture
def withdrawals(catalog, blobs, library, cache):
    purger = Purger(catalog, [blobs], [cache], [Store()], library, persists=lambda: True)
    return Withdrawals(catalog, purger, Watcher())


async def test_a_deletion_gives_a_receipt_of_every_store(withdrawals, clerk, catalog):
    document = await clerk.keep("Refunds are paid.")

    receipt = await withdrawals.document(document.id)

    assert receipt.complete
    assert (await catalog.documents.get(document.id)).status is Status.DELETED


async def test_a_deletion_is_confirmed_when_no_lease_from_before_can_last(withdrawals, clerk):
    document = await clerk.keep("Refunds are paid.")
    began = time.monotonic()

    await withdrawals.document(document.id)

    assert time.monotonic() - began >= LEASE_S


async def test_deleting_again_gives_the_same_receipt(withdrawals, clerk):
    document = await clerk.keep("Refunds are paid.")
    receipt = await withdrawals.document(document.id)

    assert await withdrawals.document(document.id) == receipt


async def test_deleting_again_purges_what_was_pending(withdrawals, clerk, cache):
    document = await clerk.keep("Refunds are paid.")
    cache.down = "connection refused"
    first = await withdrawals.document(document.id)
    cache.down = ""

    again = await withdrawals.document(document.id)

    assert (first.complete, again.complete) == (False, True)
    assert again.revision == first.revision


async def test_an_unknown_document_cannot_be_deleted(withdrawals):
    with pytest.raises(NotFound):
        await withdrawals.document("0" * 32)


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
        return Withdrawals(self, self, self.watcher)


@pytest.mark.parametrize(("seconds", "complete"), [(PURGE_S / 2, True), (PURGE_S * 2, False)])
@hurried
async def test_a_receipt_does_not_wait_for_a_slow_store(seconds, complete):
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), seconds)

    receipt = await slow.served().document("d1")

    assert receipt.complete is complete
    await asyncio.sleep(PURGE_S * 2)


@hurried
async def test_a_purge_that_fails_after_the_receipt_is_told():
    error = Unavailable("catalog", "locked")
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), PURGE_S * 2)
    slow.fails = error

    receipt = await slow.served().document("d1")
    before = list(slow.watcher.failed_purges)
    await asyncio.sleep(PURGE_S * 2)

    assert (receipt, before) == (slow.receipt, [])
    assert slow.watcher.failed_purges == [("d1", error)]


@hurried
async def test_closing_ends_the_purges_that_still_run():
    slow = Tombstones(Receipt("d1", 7, NOW, {"cache": "pending: not purged yet"}), PURGE_S * 2)
    withdrawals = slow.served()
    await withdrawals.document("d1")

    await withdrawals.close()

    assert len(asyncio.all_tasks()) == 1
    assert slow.watcher.failed_purges == []


@hurried
async def test_a_receipt_that_is_complete_is_given_at_once():
    done = Tombstones(Receipt("d1", 7, NOW, {"cache": "purged"}), PURGE_S)
    clock = asyncio.get_running_loop().time
    began = clock()

    receipt = await done.served().document("d1")

    assert receipt is done.receipt
    assert clock() - began < LEASE_S / 2


async def test_a_deleted_workspace_is_closed_purged_and_its_name_is_free(
    withdrawals, clerk, library, cache, catalog
):
    document = await clerk.keep("Refunds are paid.")
    began = time.monotonic()

    await withdrawals.workspace("policies")

    assert time.monotonic() - began >= LEASE_S
    assert (library.closed, cache.purged) == ([clerk.uid], [clerk.uid])
    assert (await catalog.workspaces.create("policies", WorkspaceConfig())).uid != clerk.uid
    with pytest.raises(NotFound):
        await catalog.documents.get(document.id)


async def test_an_unknown_workspace_cannot_be_deleted(withdrawals, library):
    with pytest.raises(NotFound):
        await withdrawals.workspace("nowhere")

    assert library.closed == []


YEAR = Condition("year", "lt", 2020)


async def test_what_matches_is_deleted_with_receipts(withdrawals, clerk, catalog):
    old = [await clerk.keep(n, source_id=n, metadata={"year": 2019}) for n in "abc"]
    kept = await clerk.keep("d", source_id="d", metadata={"year": 2020})

    withdrawn, more = await withdrawals.matching("policies", YEAR, principal=ANONYMOUS)

    assert sorted(one.document_id for one in withdrawn.receipts) == sorted(one.id for one in old)
    assert (withdrawn.held, more) == ({}, False)
    for one in old:
        assert (await catalog.documents.get(one.id)).receipt.complete
    assert await catalog.documents.get(kept.id) == kept


async def test_what_is_held_is_left_and_told_apart(withdrawals, clerk, catalog):
    held = await clerk.keep("a", source_id="a", metadata={"year": 2019})
    await catalog.deletions.hold(held.id, "litigation")
    gone = await clerk.keep("b", source_id="b", metadata={"year": 2019})

    withdrawn, more = await withdrawals.matching("policies", YEAR, principal=ANONYMOUS)

    assert [one.document_id for one in withdrawn.receipts] == [gone.id]
    assert (withdrawn.held, more) == ({held.id: "litigation"}, False)


async def test_nobody_deletes_by_filter_what_they_may_not_see(withdrawals, clerk, catalog):
    secret = await clerk.keep("a", metadata={"year": 2019}, acl={"board"})

    nothing, _ = await withdrawals.matching("policies", YEAR, principal=ANONYMOUS)
    one, _ = await withdrawals.matching("policies", YEAR, principal=member("board"))

    assert nothing.receipts == []
    assert [receipt.document_id for receipt in one.receipts] == [secret.id]


async def test_very_many_are_deleted_in_several_calls():
    catalog = Crowd(DELETED_AT_ONCE + 3)
    withdrawals = catalog.served()

    first, more = await withdrawals.matching("policies", YEAR, principal=ANONYMOUS)
    second, rest = await withdrawals.matching("policies", YEAR, principal=ANONYMOUS)

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
        return Withdrawals(self, self, Watcher())
