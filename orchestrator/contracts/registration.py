"""What a catalog's `Documents` promises of uploads: a document, its next version, or neither."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.filters import Metadata
from orchestrator.ports.catalog import Catalog, Registered

METADATA: Metadata = {"department": "legal", "years": [2025, 2026], "final": True, "note": None}


class RegistrationContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_an_upload_is_a_document_that_waits(self, clerk: Clerk) -> None:
        registered = await clerk.hand_in("Refunds are paid.", metadata=METADATA, acl={"legal"})

        document = registered.document
        assert not registered.duplicate
        assert (document.workspace, document.source_id) == (clerk.uid, "refunds.txt")
        assert (document.status, document.version, document.chunks) == (Status.QUEUED, 1, 0)
        assert (document.media_type, document.size) == ("text/plain", 17)
        assert (document.metadata, document.acl) == (METADATA, frozenset({"legal"}))

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
