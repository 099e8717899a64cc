"""The promises of a catalog's `Deletions` about legal holds, and about many documents at once."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.ports.catalog import Catalog

REASON = "litigation 2026-114"


class HoldsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_held_document_says_why_and_since_when(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")

        held = await catalog.deletions.hold(document.id, REASON)

        assert held.hold is not None
        assert held.hold.reason == REASON
        assert held.hold.since >= document.updated_at
        assert await catalog.documents.get(document.id) == held

    async def test_a_held_document_is_not_deleted(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        held = await catalog.deletions.hold(document.id, REASON)

        with pytest.raises(Conflict, match=REASON) as caught:
            await catalog.deletions.document(document.id)

        assert caught.value.code == "legal_hold"
        assert await catalog.documents.get(document.id) == held
        assert len(await clerk.chunk_ids()) == 1

    async def test_a_workspace_that_holds_a_held_document_is_not_deleted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.", source_id="a")
        other = await clerk.keep("Fees are not.", source_id="b")
        await catalog.deletions.hold(document.id, REASON)

        with pytest.raises(Conflict, match=REASON) as caught:
            await catalog.deletions.workspace(clerk.name)

        assert caught.value.code == "legal_hold"
        assert (await catalog.workspaces.get(clerk.name)).uid == clerk.uid
        assert await catalog.documents.get(other.id) == other

    async def test_a_document_that_was_released_is_deleted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.hold(document.id, REASON)

        released = await catalog.deletions.hold(document.id, None)
        await catalog.deletions.document(document.id)

        assert released.hold is None
        assert (await catalog.documents.get(document.id)).status is Status.DELETED

    async def test_another_reason_keeps_the_beginning(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        first = (await catalog.deletions.hold(document.id, REASON)).hold

        second = (await catalog.deletions.hold(document.id, "another")).hold

        assert first is not None
        assert second is not None
        assert (second.reason, second.since) == ("another", first.since)

    async def test_only_a_live_document_can_be_held(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(document.id)

        for document_id in (document.id, "0" * 32):
            with pytest.raises(NotFound):
                await catalog.deletions.hold(document_id, REASON)

    async def test_a_held_document_takes_a_new_version_and_keeps_the_record_of_the_old(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("old")
        held = await catalog.deletions.hold(document.id, REASON)

        after = await clerk.keep("new")

        assert (after.version, after.hold) == (2, held.hold)
        old = await catalog.versions.get(document.id, 1)
        assert old.content_hash == document.content_hash

    async def test_several_are_deleted_and_the_held_ones_told_apart(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one, two, three = [
            (await clerk.keep(name, source_id=name)).id for name in ("one", "two", "three")
        ]
        await catalog.deletions.hold(two, REASON)

        outcome = await catalog.deletions.documents([one, two, "0" * 32, three])

        assert [receipt.document_id for receipt in outcome.receipts] == [one, three]
        assert outcome.held == {two: REASON}
        assert [row.document_id for row in (await clerk.since(0)).rows] == [two]
        for receipt in outcome.receipts:
            assert (await catalog.documents.get(receipt.document_id)).receipt == receipt

    async def test_what_is_deleted_with_others_again_keeps_its_receipt(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        receipt = await catalog.deletions.document(document.id)

        outcome = await catalog.deletions.documents([document.id])

        assert list(outcome.receipts) == [receipt]
