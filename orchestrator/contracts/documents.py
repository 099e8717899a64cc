"""What a catalog's `Documents` promises of each: how it stands, and what is to be done with it."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.registration import METADATA
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import NotFound, Rejected
from orchestrator.ports.catalog import Catalog


class DocumentsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_document_is_read_as_it_was_registered(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in(metadata=METADATA)).document

        assert await catalog.documents.get(document.id) == document
        assert await clerk.find("refunds.txt") == document

    async def test_an_unknown_document_is_not_found(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.hand_in()

        with pytest.raises(NotFound):
            await catalog.documents.get("0" * 32)
        assert await clerk.find("other.txt") is None
        assert await catalog.documents.known("0" * 32, ["refunds.txt"]) == {}

    async def test_what_is_asked_for_by_text_that_cannot_be_is_no_outage(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for asked in (
            catalog.documents.get("a\0b"),
            catalog.workspaces.get("a\0b"),
            catalog.batches.get("a\0b"),
            catalog.versions.requeue("a\0b"),
            catalog.deletions.document("a\0b"),
            catalog.deletions.workspace("a\0b"),
        ):
            with pytest.raises((NotFound, Rejected)):
                await asked

    async def test_only_documents_that_came_to_their_end_have_outcomes(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        done = await clerk.keep("Refunds are paid.", source_id="done.txt")
        waiting = (await clerk.hand_in(source_id="waiting.txt")).document

        outcomes = await catalog.documents.outcomes([done.id, waiting.id, "0" * 32])

        assert outcomes == {done.id: None}

    async def test_a_newer_version_takes_the_outcome_back(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("old")
        await clerk.hand_in("new")

        assert await catalog.documents.outcomes([document.id]) == {}

    async def test_who_waits_for_a_document_learns_that_it_was_deleted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document
        await catalog.deletions.document(document.id)

        outcomes = await catalog.documents.outcomes([document.id])

        assert list(outcomes) == [document.id]

    async def test_work_says_what_a_worker_needs(self, catalog: Catalog, clerk: Clerk) -> None:
        document = (await clerk.hand_in("Refunds are paid.", title="Refunds")).document

        work = await catalog.documents.work(document.id, 1)

        assert work is not None
        assert work.blob_key == f"{clerk.uid}/{document.id}/{document.content_hash}"
        assert (work.title, work.generation) == ("Refunds", 1)
        assert work.document.id == document.id

    async def test_an_upload_without_a_title_has_none_whatever_was_read_before(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in("old", title=None)
        document = await clerk.publish("old", title="A title that the text gave")
        await clerk.hand_in("new", title=None)

        work = await catalog.documents.work(document.id, 2)

        assert work is not None
        assert work.title == ""

    async def test_a_document_that_is_being_worked_on_says_so(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document

        await catalog.documents.work(document.id, 1)

        assert (await catalog.documents.get(document.id)).status is Status.PROCESSING

    @pytest.mark.parametrize("what", ["outdated", "deleted", "of a deleted workspace", "unknown"])
    async def test_work_that_is_moot_is_none(
        self, catalog: Catalog, clerk: Clerk, what: str
    ) -> None:
        document = (await clerk.hand_in("old")).document
        match what:
            case "outdated":
                await clerk.hand_in("new")
            case "deleted":
                await catalog.deletions.document(document.id)
            case "of a deleted workspace":
                await catalog.deletions.workspace(clerk.name)
        document_id = "0" * 32 if what == "unknown" else document.id

        assert await catalog.documents.work(document_id, 1) is None

    async def test_an_indexed_document_says_what_was_published(self, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.", "Fees are not.", title="Refunds")

        assert (document.status, document.chunks, document.error) == (Status.INDEXED, 2, None)
        assert (document.title, document.revision) == ("Refunds", await clerk.revision())
