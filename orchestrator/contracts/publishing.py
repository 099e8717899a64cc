"""What a catalog's `Log` promises of publishing: a whole version at one revision, or nothing."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict
from orchestrator.ports.catalog import Catalog


class PublishingContract:
    """Needs `catalog`, `another`, a second view of it, and `clerk`, of an empty workspace in it."""

    async def test_a_publication_makes_one_revision_that_adds_its_chunks(
        self, clerk: Clerk
    ) -> None:
        document = await clerk.keep("One.", "Two.", acl={"legal"}, metadata={"year": 2026})

        delta = await clerk.since(0)

        assert delta.revision == document.revision == 1
        rows = [(row.document_id, row.generation, row.added, row.removed) for row in delta.rows]
        assert rows == [(document.id, 1, 1, None)] * 2
        (rights,) = delta.documents
        assert (rights.document_id, rights.acl) == (document.id, frozenset({"legal"}))
        assert (rights.metadata, rights.deleted) == ({"year": 2026}, False)

    async def test_every_publication_of_a_batch_has_a_revision_of_its_own(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for name in "abc":
            await clerk.hand_in(name, source_id=name)
        batch = [await clerk.publication(await clerk.claim(), name) for name in "abc"]

        await catalog.log.publish(batch)

        assert [row.added for row in (await clerk.since(0)).rows] == [1, 2, 3]

    async def test_a_new_version_takes_the_place_of_the_old_in_one_revision(
        self, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        before = await clerk.revision()
        after = (await clerk.keep("new")).revision

        old, new = (await clerk.since(0)).rows

        assert after > before
        assert (old.added, old.removed) == (1, after)
        assert (new.added, new.removed) == (after, None)

    async def test_what_was_made_for_another_generation_is_refused(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        await clerk.hand_in("new")
        publication = await clerk.publication(await clerk.claim(), "new", generation=2)

        with pytest.raises(Conflict):
            await catalog.log.publish([publication])
        assert [(row.generation, row.removed) for row in (await clerk.since(0)).rows] == [(1, None)]

    async def test_publishing_twice_shows_nothing_twice(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        publication = await clerk.publication(await clerk.claim(), "One.", "Two.")

        await catalog.log.publish([publication])
        await catalog.log.publish([publication])

        assert len(await clerk.chunk_ids()) == 2

    async def test_a_publication_of_a_deleted_document_is_dropped(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document
        publication = await clerk.publication(await clerk.claim(), "One.")
        await catalog.deletions.document(document.id)
        before = await clerk.revision()

        await catalog.log.publish([publication])

        assert await clerk.revision() == before
        assert (await clerk.since(0)).rows == []
        assert (await catalog.documents.get(document.id)).status is Status.DELETED

    async def test_a_publication_of_an_outdated_version_is_dropped(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in("old")
        outdated = await clerk.publication(await clerk.claim(), "old")
        document = (await clerk.hand_in("new")).document
        before = await clerk.revision()

        await catalog.log.publish([outdated])

        assert await clerk.revision() == before
        assert (await clerk.since(0)).rows == []
        assert await catalog.documents.get(document.id) == document
        assert (await clerk.claim()).version == 2

    async def test_a_publication_into_a_deleted_workspace_is_dropped(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        publication = await clerk.publication(await clerk.claim(), "One.")
        await catalog.deletions.workspace(clerk.name)

        await catalog.log.publish([publication])

        document = await catalog.documents.get(publication.document_id)
        assert (document.chunks, document.revision) == (0, 0)

    async def test_a_dropped_publication_does_not_hold_up_the_others(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        gone = (await clerk.hand_in("a", source_id="a")).document
        await clerk.hand_in("b", source_id="b")
        batch = [await clerk.publication(await clerk.claim(), name) for name in "ab"]
        await catalog.deletions.document(gone.id)

        await catalog.log.publish(batch)

        (chunk,) = await catalog.chunks.read(await clerk.chunk_ids())
        assert chunk.text == "b"

    @pytest.mark.parametrize("model", [MODEL, "another model"])
    async def test_nothing_is_published_where_a_vector_is_missing(
        self, catalog: Catalog, clerk: Clerk, model: str
    ) -> None:
        for name in "ab":
            await clerk.hand_in(name, source_id=name)
        whole = await clerk.publication(await clerk.claim(), "a")
        lacking = await clerk.publication(await clerk.claim(), "b")
        if model == MODEL:
            lacking = replace(lacking, hashes=[b"0" * 16])

        with pytest.raises(Conflict):
            await catalog.log.publish([whole, replace(lacking, model=model)])

        assert (await clerk.revision(), (await clerk.since(0)).rows) == (0, [])
        for one in (whole, lacking):
            document = await catalog.documents.get(one.document_id)
            assert document.status is Status.QUEUED

    async def test_what_was_refused_is_still_a_job(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.hand_in()
        job = await clerk.claim()
        publication = await clerk.publication(job, "One.")
        with pytest.raises(Conflict):
            await catalog.log.publish([replace(publication, model="another model")])

        await clerk.queue.release(f"clerk of {clerk.uid}")

        assert (await clerk.claim()).id == job.id

    async def test_a_document_without_chunks_can_be_published(self, clerk: Clerk) -> None:
        await clerk.keep("old")

        document = await clerk.keep()

        assert (document.status, document.chunks) == (Status.INDEXED, 0)
        assert await clerk.chunk_ids() == []

    async def test_readers_meet_whole_publications_only(
        self, clerk: Clerk, another: Catalog
    ) -> None:
        await clerk.keep("One.", "Two.", "Three.")
        sizes: set[int] = set()

        async def read() -> None:
            for _ in range(40):
                rows = (await another.log.since(clerk.uid, 0)).rows
                sizes.add(sum(row.removed is None for row in rows))

        async def write() -> None:
            for number in range(10):
                await clerk.keep(*(f"{number}, {part}." for part in "abc"))

        await asyncio.gather(read(), write())

        assert sizes == {3}
