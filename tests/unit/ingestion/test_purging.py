"""Purging: a store is `purged` only when it is, and what is down is tried again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.contracts.blobs import get, put
from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.errors import NotFound, Rejected
from orchestrator.domain.reindexing import Models, State
from orchestrator.ingestion.purging import Purger
from tests.unit.ingestion.stores import FakeLibrary, Store

ALL_PURGED = dict.fromkeys(("catalog", "cache", "blobs", "vectors", "keywords"), "purged")


class Cleaning:
    """A purger with two caches and two stores, and whether it holds the lease."""

    def __init__(self, catalog, blobs):
        self.caches, self.stores = [Store(), Store()], [Store(), Store()]
        self.library = FakeLibrary()
        self.persists = True
        self.purger = Purger(
            catalog,
            [blobs],
            self.caches,
            self.stores,
            self.library,
            persists=lambda: self.persists,
        )


@pytest.fixture
def cleaning(catalog, blobs):
    return Cleaning(catalog, blobs)


@pytest.fixture
async def receipt(catalog, clerk, blobs):
    """Of a document that was deleted just now, its bytes still stored."""
    document = await clerk.keep("Refunds are paid.")
    await put(blobs, f"{clerk.uid}/{document.id}/c0ffee", b"Refunds are paid.")
    return await catalog.deletions.document(document.id)


async def test_every_store_is_purged(cleaning, clerk, blobs, receipt):
    after = await cleaning.purger.document(clerk.uid, receipt)

    assert (after.stores, after.complete) == (ALL_PURGED, True)
    assert [one.purged for one in cleaning.caches] == [[clerk.uid]] * 2
    with pytest.raises(NotFound):
        await get(blobs, f"{clerk.uid}/{receipt.document_id}/c0ffee")


async def test_the_indexes_have_caught_up_and_are_saved_before_they_count_as_purged(
    cleaning, clerk, receipt
):
    await cleaning.purger.document(clerk.uid, receipt)

    assert set(cleaning.library.settled) == {"policies"}
    assert cleaning.library.saves >= 1


async def test_the_receipt_is_kept(cleaning, catalog, clerk, receipt):
    after = await cleaning.purger.document(clerk.uid, receipt)

    assert (await catalog.documents.get(receipt.document_id)).receipt == after
    assert (await catalog.deletions.unpurged()).receipts == []


async def test_a_store_that_is_down_is_pending_and_says_why(cleaning, clerk, receipt):
    cleaning.caches[1].down = "connection refused"

    after = await cleaning.purger.document(clerk.uid, receipt)

    assert not after.complete
    assert after.stores == ALL_PURGED | {
        "cache": "pending: the store is unavailable: connection refused"
    }


async def test_indexes_that_no_configuration_names_any_more_are_erased(cleaning, clerk, receipt):
    await cleaning.purger.document(clerk.uid, receipt)

    assert all(clerk.uid in store.pruned for store in cleaning.stores)


async def test_indexes_that_a_reindexing_builds_are_opened_first_so_that_they_are_purged_and_kept(
    cleaning, catalog, clerk, receipt
):
    before = (await catalog.workspaces.by_uid(clerk.uid)).config.footing
    after = replace(before, embedder="other")
    one = await catalog.reindexings.begin(clerk.uid, after, Models("a", "b"), automatic=True)

    await cleaning.purger.document(clerk.uid, receipt)
    asked = cleaning.library.asked[:2]
    await catalog.reindexings.settle(one, State.CANCELLED)
    cleaning.library.asked.clear()
    await cleaning.purger.document(clerk.uid, receipt)

    assert asked == [f"prepare {one.id}", "settle"]
    assert set(cleaning.library.asked) == {"settle"}


async def test_indexes_that_cannot_be_erased_are_pending(cleaning, clerk, receipt):
    cleaning.stores[1].down = "read-only"

    after = await cleaning.purger.document(clerk.uid, receipt)

    assert "read-only" in after.stores["vectors"]


async def test_indexes_that_are_down_are_pending(cleaning, clerk, receipt):
    cleaning.library.down = "full"

    after = await cleaning.purger.document(clerk.uid, receipt)

    pending = "pending: the indexes is unavailable: full"
    assert after.stores == ALL_PURGED | {"vectors": pending, "keywords": pending}


async def test_without_the_lease_the_indexes_are_left_to_who_holds_it(cleaning, clerk, receipt):
    cleaning.persists = False

    after = await cleaning.purger.document(clerk.uid, receipt)

    assert {store for store, state in after.stores.items() if state != "purged"} == {
        "vectors",
        "keywords",
    }
    assert "holds the lease" in after.stores["vectors"]
    assert cleaning.library.settled == []


async def test_indexes_that_were_opened_without_the_lease_are_pending(cleaning, clerk, receipt):
    cleaning.library.persists = False

    after = await cleaning.purger.document(clerk.uid, receipt)

    assert "holds the lease" in after.stores["vectors"]
    assert "holds the lease" in after.stores["keywords"]
    assert cleaning.library.saves == 0


async def test_what_was_pending_is_purged_later_and_nothing_else_again(
    cleaning, catalog, clerk, receipt
):
    cleaning.caches[0].down = "connection refused"
    await cleaning.purger.document(clerk.uid, receipt)
    cleaning.caches[0].down = ""
    cleaning.library.settled.clear()

    await cleaning.purger.pending()

    after = (await catalog.documents.get(receipt.document_id)).receipt
    assert after.stores == ALL_PURGED
    assert cleaning.library.settled == []


async def test_while_it_stays_down_it_stays_pending(cleaning, catalog, clerk, receipt):
    cleaning.caches[0].down = "connection refused"
    await cleaning.purger.document(clerk.uid, receipt)

    await cleaning.purger.pending()

    assert not (await catalog.documents.get(receipt.document_id)).receipt.complete


async def test_a_deletion_that_nobody_purged_is_purged_later(cleaning, catalog, receipt):
    await cleaning.purger.pending()

    assert (await catalog.documents.get(receipt.document_id)).receipt.stores == ALL_PURGED


@pytest.mark.parametrize(
    "error",
    [Rejected("there is no embedder named 'small'"), OSError(28, "no space left")],
    ids=repr,
)
async def test_one_workspace_that_cannot_be_opened_leaves_the_others_to_be_purged(
    cleaning, catalog, queue, clerk, receipt, error
):
    other = await Clerk.of(catalog, queue, "legal")
    of_other = await catalog.deletions.document((await other.keep("Fees.")).id)
    cleaning.library.broken["policies"] = error

    await cleaning.purger.pending()

    stuck, after = [
        (await catalog.documents.get(one.document_id)).receipt for one in (receipt, of_other)
    ]
    assert after.complete
    assert stuck.stores == ALL_PURGED | dict.fromkeys(("vectors", "keywords"), f"pending: {error}")


async def test_a_document_that_was_erased_meanwhile_leaves_the_others_to_be_purged(
    cleaning, catalog, queue, clerk, receipt
):
    other = await Clerk.of(catalog, queue, "legal")
    of_other = await catalog.deletions.document((await other.keep("Fees.")).id)

    async def erase(uid):
        if uid == clerk.uid:
            await catalog.deletions.workspace("policies")
            await catalog.deletions.erase(uid)

    cleaning.caches[0].purge = erase

    await cleaning.purger.pending()

    assert (await catalog.documents.get(of_other.document_id)).receipt.complete


async def test_a_deleted_workspace_is_purged_from_every_store(cleaning, catalog, clerk, blobs):
    document = await clerk.keep("Refunds are paid.")
    await put(blobs, f"{clerk.uid}/{document.id}/c0ffee", b"Refunds are paid.")
    uid = await catalog.deletions.workspace("policies")

    assert await cleaning.purger.workspace(uid)
    assert [one.purged for one in cleaning.caches] == [[uid]] * 2
    assert [one.dropped for one in cleaning.stores] == [[uid]] * 2
    with pytest.raises(NotFound):
        await get(blobs, f"{uid}/{document.id}/c0ffee")
    with pytest.raises(NotFound):
        await catalog.documents.get(document.id)


async def test_the_indexes_of_a_deleted_workspace_are_closed_before_they_are_erased(
    cleaning, catalog, clerk
):
    uid = await catalog.deletions.workspace("policies")
    closed = cleaning.library.closed

    async def drop(_uid):
        assert closed == [uid]

    cleaning.stores[0].drop = drop

    assert await cleaning.purger.workspace(uid)
    assert clerk.uid == uid


@pytest.mark.parametrize("part", ["caches", "stores"])
@pytest.mark.usefixtures("clerk")
async def test_the_last_rows_of_a_workspace_stay_until_every_store_is_purged(
    cleaning, catalog, part
):
    uid = await catalog.deletions.workspace("policies")
    getattr(cleaning, part)[0].down = "connection refused"

    assert not await cleaning.purger.workspace(uid)
    assert (await catalog.deletions.unpurged()).workspaces == [uid]

    getattr(cleaning, part)[0].down = ""
    await cleaning.purger.pending()

    assert (await catalog.deletions.unpurged()).workspaces == []


@pytest.mark.usefixtures("clerk")
async def test_without_the_lease_a_workspace_is_left_to_who_holds_it(cleaning, catalog):
    uid = await catalog.deletions.workspace("policies")
    cleaning.persists = False

    assert not await cleaning.purger.workspace(uid)
    assert [one.purged for one in cleaning.caches] == [[uid]] * 2
    assert [one.dropped for one in cleaning.stores] == [[], []]
    assert (await catalog.deletions.unpurged()).workspaces == [uid]


async def test_several_documents_are_purged_with_one_save_of_what_they_share(
    cleaning, catalog, clerk, blobs
):
    documents = [await clerk.keep(name, source_id=name) for name in "abc"]
    for one in documents:
        await put(blobs, f"{clerk.uid}/{one.id}/c0ffee", b"text")
    receipts = (await catalog.deletions.documents([one.id for one in documents])).receipts

    after = await cleaning.purger.several(clerk.uid, receipts)

    assert [one.stores for one in after] == [ALL_PURGED] * 3
    assert cleaning.caches[0].purged == [clerk.uid]
    assert cleaning.library.saves == 2
    for one in documents:
        with pytest.raises(NotFound):
            await get(blobs, f"{clerk.uid}/{one.id}/c0ffee")


async def test_several_receipts_keep_the_state_of_what_was_purged_before(
    cleaning, catalog, clerk, receipt
):
    done = await cleaning.purger.document(clerk.uid, receipt)
    other = await catalog.deletions.document((await clerk.keep("b", source_id="b")).id)
    cleaning.caches[0].down = "connection refused"

    first, second = await cleaning.purger.several(clerk.uid, [done, other])

    assert first == done
    assert second.stores["cache"].startswith("pending: ")
