"""The promises of a catalog's `Deletions`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.domain.documents import Piece, Status, text_hash
from orchestrator.domain.errors import NotFound
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ports.catalog import Catalog


def key_of(text: str, title: str = "Refund policy") -> bytes:
    """The hash under which the clerk stores a chunk's vector."""
    return text_hash(Piece(text, 0, len(text), "Delays").embedded(title))


class DeletionsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_receipt_names_the_document_and_the_revision_that_hides_it(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")

        receipt = await catalog.deletions.document(document.id)

        assert receipt.document_id == document.id
        assert receipt.revision == await clerk.revision() == document.revision + 1
        assert receipt.stores["catalog"] == "purged"
        assert not receipt.complete

    async def test_a_second_deletion_gives_the_same_receipt_and_moves_nothing(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        first = await catalog.deletions.document(document.id)
        await clerk.keep("Something else.", source_id="other.txt")
        revision = await clerk.revision()

        second = await catalog.deletions.document(document.id)

        assert second == first
        assert await clerk.revision() == revision

    async def test_of_many_who_delete_at_once_all_get_one_receipt(
        self, catalog: Catalog, another: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")

        receipts = await asyncio.gather(
            *(one.deletions.document(document.id) for one in (catalog, another) * 3)
        )

        assert receipts == [receipts[0]] * 6
        assert await clerk.revision() == document.revision + 1

    async def test_an_unknown_document_is_not_found(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("Refunds are paid.")

        with pytest.raises(NotFound):
            await catalog.deletions.document("0" * 32)

    async def test_a_deleted_document_keeps_its_id_and_its_receipt(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.", metadata={"owner": "Ada"})
        receipt = await catalog.deletions.document(document.id)

        found = await catalog.documents.get(document.id)

        assert (found.status, found.receipt) == (Status.DELETED, receipt)
        assert (found.title, found.metadata, found.chunks) == ("", {}, 0)

    async def test_a_deleted_document_is_no_longer_found_by_its_source_id(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(document.id)

        assert await clerk.find("refunds.txt") is None

    async def test_a_source_id_may_be_used_again_by_another_document(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        old = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(old.id)

        new = await clerk.hand_in("Refunds are paid.")

        assert not new.duplicate
        assert new.document.id != old.id
        assert (await catalog.documents.get(old.id)).status is Status.DELETED

    async def test_the_text_of_every_version_is_gone(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("old")
        document = await clerk.keep("new")
        ids = [row.chunk_id for row in (await clerk.since(0)).rows]

        await catalog.deletions.document(document.id)

        assert len(ids) == 2
        assert list(await catalog.chunks.read(ids)) == []
        assert (await clerk.since(0)).rows == []

    async def test_the_vectors_of_every_version_are_gone(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        document = await clerk.keep("new")
        hashes = [key_of("old"), key_of("new")]
        before = await catalog.vectors.known(MODEL, hashes)

        await catalog.deletions.document(document.id)

        assert before == frozenset(hashes)
        assert await catalog.vectors.known(MODEL, hashes) == frozenset()

    async def test_a_vector_that_another_document_needs_stays(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        first = await clerk.keep("Refunds are paid.", "Only here.", source_id="a.txt")
        second = await clerk.keep("Refunds are paid.", source_id="b.txt")
        hashes = [key_of("Refunds are paid."), key_of("Only here.")]

        await catalog.deletions.document(first.id)
        after_one = await catalog.vectors.known(MODEL, hashes)
        await catalog.deletions.document(second.id)
        after_both = await catalog.vectors.known(MODEL, hashes)

        assert (after_one, after_both) == (frozenset(hashes[:1]), frozenset())

    async def test_other_documents_stay(self, catalog: Catalog, clerk: Clerk) -> None:
        gone = await clerk.keep("Refunds are paid.", source_id="a.txt")
        kept = await clerk.keep("Fees are not paid.", source_id="b.txt")

        await catalog.deletions.document(gone.id)

        assert await catalog.documents.get(kept.id) == kept
        (chunk,) = await catalog.chunks.read(await clerk.chunk_ids())
        assert chunk.text == "Fees are not paid."

    async def test_the_states_of_stores_are_written_into_the_receipt(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        receipt = await catalog.deletions.document(document.id)

        one = await catalog.deletions.record(document.id, {"cache": "purged"})
        two = await catalog.deletions.record(document.id, {"blobs": "pending: the disk is full"})

        assert one.stores == {**receipt.stores, "cache": "purged"}
        assert two.stores == {**one.stores, "blobs": "pending: the disk is full"}
        assert (await catalog.documents.get(document.id)).receipt == two
        assert await catalog.deletions.document(document.id) == two

    async def test_a_deletion_is_unpurged_until_every_store_is_purged(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        receipt = await catalog.deletions.document(document.id)
        steps = []
        for store in [store for store in receipt.stores if store != "catalog"]:
            steps.append((await catalog.deletions.unpurged()).receipts)
            await catalog.deletions.record(document.id, {store: "purged"})

        assert all([uid for uid, _ in left] == [clerk.uid] for left in steps)
        assert list((await catalog.deletions.unpurged()).receipts) == []
        assert (await catalog.deletions.document(document.id)).complete

    async def test_what_is_not_deleted_is_not_unpurged(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.")

        left = await catalog.deletions.unpurged()

        assert (list(left.receipts), list(left.workspaces)) == ([], [])

    async def test_the_receipt_of_an_unpurged_deletion_is_the_one_that_was_given(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        receipt = await catalog.deletions.document(document.id)

        assert list((await catalog.deletions.unpurged()).receipts) == [(clerk.uid, receipt)]

    async def test_a_deleted_workspace_is_gone_at_once(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.")

        uid = await catalog.deletions.workspace(clerk.name)

        assert uid == clerk.uid
        assert list(await catalog.workspaces.list()) == []
        for reading in (
            catalog.workspaces.get(clerk.name),
            catalog.workspaces.by_uid(uid),
            catalog.log.since(uid, 0),
        ):
            with pytest.raises(NotFound):
                await reading

    async def test_the_documents_of_a_deleted_workspace_are_deleted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        ids = await clerk.chunk_ids()

        await catalog.deletions.workspace(clerk.name)

        assert list(await catalog.chunks.read(ids)) == []
        assert await clerk.find("refunds.txt") is None
        assert not await catalog.documents.list(clerk.uid, principal=ANONYMOUS, after=None, limit=9)
        assert (await catalog.documents.get(document.id)).status is Status.DELETED

    async def test_deleting_an_unknown_workspace_is_not_found(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await catalog.deletions.workspace(clerk.name)

        for name in (clerk.name, "unknown"):
            with pytest.raises(NotFound):
                await catalog.deletions.workspace(name)

    async def test_a_deleted_workspace_is_unpurged_until_it_is_erased(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        uid = await catalog.deletions.workspace(clerk.name)
        before = (await catalog.deletions.unpurged()).workspaces

        await catalog.deletions.erase(uid)

        assert list(before) == [uid]
        assert list((await catalog.deletions.unpurged()).workspaces) == []

    async def test_an_erased_workspace_leaves_nothing(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        deleted = await clerk.keep("Fees are not.", source_id="fees.txt")
        await catalog.deletions.document(deleted.id)
        hashes = [key_of("Refunds are paid.")]
        uid = await catalog.deletions.workspace(clerk.name)

        await catalog.deletions.erase(uid)

        assert await catalog.vectors.known(MODEL, hashes) == frozenset()
        assert list((await catalog.deletions.unpurged()).receipts) == []
        for one in (document, deleted):
            with pytest.raises(NotFound):
                await catalog.documents.get(one.id)

    async def test_erasing_a_workspace_leaves_the_others(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.")
        uid = await catalog.deletions.workspace(clerk.name)
        again = await Clerk.of(catalog, clerk.queue, clerk.name)
        kept = await again.keep("Refunds are paid.")

        await catalog.deletions.erase(uid)

        assert await catalog.documents.get(kept.id) == kept
        (chunk_id,) = await again.chunk_ids()
        ids = np.array([chunk_id], np.int64)
        batches = [found.tolist() async for found, _ in catalog.vectors.vectors(MODEL, ids)]
        assert batches == [[chunk_id]]

    async def test_erasing_what_is_erased_does_nothing(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        uid = await catalog.deletions.workspace(clerk.name)
        await catalog.deletions.erase(uid)
        await catalog.workspaces.create("other", WorkspaceConfig())

        await catalog.deletions.erase(uid)

        assert [one.name for one in await catalog.workspaces.list()] == ["other"]
