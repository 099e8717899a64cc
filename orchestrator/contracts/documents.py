"""The promises of a catalog's `Documents`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.specimens import member
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict, NotFound, Rejected
from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.ports.catalog import Catalog, Registered

METADATA: Metadata = {"department": "legal", "years": [2025, 2026], "final": True, "note": None}


class DocumentsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_an_upload_is_a_document_that_waits(self, clerk: Clerk) -> None:
        registered = await clerk.hand_in("Refunds are paid.", metadata=METADATA, acl={"legal"})

        document = registered.document
        assert not registered.duplicate
        assert (document.workspace, document.source_id) == (clerk.uid, "refunds.txt")
        assert (document.status, document.version, document.chunks) == (Status.QUEUED, 1, 0)
        assert (document.media_type, document.size) == ("text/plain", 17)
        assert (document.metadata, document.acl) == (METADATA, frozenset({"legal"}))

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

    async def test_the_same_bytes_again_are_a_duplicate_and_no_work(self, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")

        again = await clerk.hand_in("Refunds are paid.")

        assert again.duplicate
        assert again.document == document
        assert list(await clerk.queue.claim("a", limit=1, seconds=1)) == []

    async def test_the_same_bytes_under_another_source_id_are_another_document(
        self, clerk: Clerk
    ) -> None:
        first = await clerk.hand_in("Refunds are paid.", source_id="a.txt")
        second = await clerk.hand_in("Refunds are paid.", source_id="b.txt")

        assert not second.duplicate
        assert second.document.id != first.document.id

    async def test_the_same_source_id_in_another_workspace_is_another_document(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        first = await clerk.hand_in()
        second = await other.hand_in()

        assert not second.duplicate
        assert await catalog.documents.get(first.document.id) == first.document
        assert await other.find("refunds.txt") == second.document

    async def test_a_source_id_that_was_taken_meanwhile_is_a_conflict(
        self, clerk: Clerk, another: Catalog
    ) -> None:
        workspace = await another.workspaces.by_uid(clerk.uid)
        beside = Clerk(another, clerk.queue, workspace)

        results = await asyncio.gather(
            *(
                one.hand_in(document_id=f"document {number}")
                for number, one in enumerate((clerk, beside) * 3)
            ),
            return_exceptions=True,
        )

        assert sorted(type(one).__name__ for one in results) == ["Conflict"] * 5 + ["Registered"]
        assert len(await clerk.queue.claim("a", limit=9, seconds=1)) == 1

    async def test_arrivals_together_have_each_its_own_fate(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        kept = await clerk.keep("kept", source_id="kept")
        old = await clerk.keep("old", source_id="old")
        arrivals = [
            clerk.arrival("new", source_id="new"),
            clerk.arrival("kept", source_id="kept", known=kept),
            clerk.arrival("strange", source_id="old"),
            clerk.arrival("newer", source_id="newer"),
        ]
        renewed = clerk.arrival("renewed", source_id="old", known=old)

        fates = await catalog.documents.register(clerk.uid, arrivals)
        (second,) = await catalog.documents.register(clerk.uid, [renewed])

        new, same, conflict, newer = fates
        assert isinstance(conflict, Conflict)
        assert isinstance(new, Registered)
        assert isinstance(newer, Registered)
        assert same == Registered(kept, duplicate=True)
        assert isinstance(second, Registered)
        assert (second.document.id, second.document.version) == (old.id, 2)
        jobs = await clerk.queue.claim("a", limit=9, seconds=1)
        assert [job.document_id for job in jobs] == [new.document.id, newer.document.id, old.id]

    async def test_the_next_version_of_what_was_deleted_meanwhile_is_a_conflict(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("old")
        await catalog.deletions.document(document.id)
        late = clerk.arrival("new", known=document)
        other = clerk.arrival("other", source_id="other.txt")

        fates = await catalog.documents.register(clerk.uid, [late, other])

        assert [type(one) for one in fates] == [Conflict, Registered]
        assert await clerk.find(late.upload.source_id) is None

    async def test_nothing_is_registered_in_a_workspace_that_is_gone(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await catalog.deletions.workspace(clerk.name)

        with pytest.raises(NotFound):
            await catalog.documents.register(clerk.uid, [clerk.arrival("new")])

    async def test_other_bytes_are_the_next_version(self, catalog: Catalog, clerk: Clerk) -> None:
        first = await clerk.keep("Refunds are paid.")

        second = (await clerk.hand_in("Refunds are paid within 7 days.")).document

        assert (second.id, second.version, second.size) == (first.id, 2, 31)
        assert second.status is Status.QUEUED
        assert second.content_hash != first.content_hash
        assert await catalog.documents.get(first.id) == second

    async def test_bytes_that_were_there_before_are_a_version_too(self, clerk: Clerk) -> None:
        for text in ("old", "new"):
            await clerk.keep(text)

        back = await clerk.hand_in("old")

        assert not back.duplicate
        assert back.document.version == 3

    async def test_other_rights_alone_move_the_revision_and_are_no_work(self, clerk: Clerk) -> None:
        await clerk.keep("Refunds are paid.")
        before = await clerk.revision()

        changed = await clerk.hand_in("Refunds are paid.", acl={"legal"}, metadata=METADATA)

        assert changed.duplicate
        assert (changed.document.acl, changed.document.metadata) == (frozenset({"legal"}), METADATA)
        assert (changed.document.version, changed.document.status) == (1, Status.INDEXED)
        assert await clerk.revision() == changed.document.revision == before + 1
        assert list(await clerk.queue.claim("a", limit=1, seconds=1)) == []

    async def test_the_rights_of_a_new_version_hold_before_it_is_published(
        self, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.")
        before = await clerk.revision()

        await clerk.hand_in("Refunds are not paid.", acl={"legal"})

        delta = await clerk.since(before)
        assert [rights.acl for rights in delta.documents] == [{"legal"}]

    async def test_an_upload_that_changes_nothing_moves_nothing(self, clerk: Clerk) -> None:
        await clerk.keep("Refunds are paid.", metadata=METADATA, acl={"legal"})
        before = await clerk.revision()

        await clerk.hand_in("Refunds are paid.", metadata=METADATA, acl={"legal"})

        assert await clerk.revision() == before

    async def test_documents_are_listed_in_pages_by_id(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        made = [(await clerk.hand_in(source_id=f"{n}.txt")).document.id for n in range(5)]
        ids = sorted(made)

        pages, after = [], None
        while page := await catalog.documents.list(
            clerk.uid, principal=ANONYMOUS, after=after, limit=2
        ):
            pages.append([document.id for document in page])
            after = page[-1].id

        assert pages == [ids[:2], ids[2:4], ids[4:]]

    async def test_a_page_is_full_of_what_the_principal_may_see(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for number in range(6):
            await clerk.hand_in(source_id=f"secret {number}", acl={"board"})
        seen = [
            (await clerk.hand_in(source_id=f"{n}.txt", acl={"legal", "x"})).document.id
            for n in range(3)
        ]

        page = await catalog.documents.list(
            clerk.uid, principal=member("legal", "y"), after=None, limit=3
        )

        assert [document.id for document in page] == sorted(seen)

    async def test_what_is_deleted_or_elsewhere_is_not_listed(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        await other.hand_in()
        gone = await clerk.hand_in(source_id="gone.txt")
        kept = await clerk.hand_in(source_id="kept.txt")
        await catalog.deletions.document(gone.document.id)

        page = await catalog.documents.list(clerk.uid, principal=ANONYMOUS, after=None, limit=9)

        assert list(page) == [kept.document]

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
