"""The promises of a catalog's `Log`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.contracts.deletions import key_of
from orchestrator.contracts.specimens import member
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import Scope
from orchestrator.indexing.roster import Roster
from orchestrator.ports.catalog import Catalog


class LogContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

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

    async def test_a_document_of_another_generation_is_left_in_place(self, clerk: Clerk) -> None:
        await clerk.keep("old")
        await clerk.hand_in("new")
        await clerk.publish("new", generation=2)

        rows = (await clerk.since(0)).rows

        assert [(row.generation, row.removed) for row in rows] == [(1, None), (2, None)]

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

        assert (await clerk.revision(), (await clerk.since(0)).rows) == (0, ())
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

    async def test_nothing_has_changed_since_the_newest_revision(self, clerk: Clerk) -> None:
        await clerk.keep("One.")

        delta = await clerk.since(1)

        assert (delta.revision, list(delta.rows), list(delta.documents)) == (1, [], [])

    async def test_only_what_was_touched_since_is_told(self, clerk: Clerk) -> None:
        await clerk.keep("One.", source_id="a")
        second = await clerk.keep("Two.", source_id="b")

        delta = await clerk.since(1)

        assert delta.revision == 2
        assert [row.document_id for row in delta.rows] == [second.id]
        assert [rights.document_id for rights in delta.documents] == [second.id]

    async def test_a_superseded_chunk_is_told_again(self, clerk: Clerk) -> None:
        await clerk.keep("old")
        (first,) = await clerk.chunk_ids()
        after = (await clerk.keep("new")).revision

        delta = await clerk.since(1)

        (second,) = await clerk.chunk_ids()
        told = [(row.chunk_id, row.removed) for row in delta.rows]
        assert told == [(first, after), (second, None)]

    async def test_a_deletion_is_told_as_rights_that_nobody_has(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("One.")
        await catalog.deletions.document(document.id)

        since, whole = await clerk.since(1), await clerk.since(0)

        told = [(one.document_id, one.deleted) for one in since.documents]
        assert told == [(document.id, True)]
        assert (list(since.rows), list(whole.rows), list(whole.documents)) == ([], [], [])

    async def test_changes_of_other_workspaces_are_not_told(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        await other.keep("Two.")
        await clerk.keep("One.")

        delta = await clerk.since(0)

        assert delta.revision == 1
        assert {row.document_id for row in delta.rows} == {
            rights.document_id for rights in delta.documents
        }
        assert len(delta.rows) == 1

    async def test_chunk_ids_ascend_and_are_never_used_again(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        used: list[int] = []
        for _ in range(4):
            document = await clerk.keep("One.", "Two.", source_id="a")
            fresh = await clerk.chunk_ids()
            assert fresh == sorted(fresh)
            assert min(fresh) > max(used, default=0)
            used += fresh
            await catalog.deletions.document(document.id)

        assert len(set(used)) == 8

    async def test_a_sweep_erases_what_was_superseded_long_ago(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        await clerk.keep("new")
        (kept,) = await clerk.chunk_ids()

        erased = await catalog.log.sweep(seconds=-1)

        assert erased == 1
        assert [row.chunk_id for row in (await clerk.since(0)).rows] == [kept]
        hashes = [key_of("old"), key_of("new")]
        assert await catalog.vectors.known(MODEL, hashes) == {hashes[1]}

    async def test_a_sweep_leaves_what_was_superseded_just_now(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        await clerk.keep("new")

        erased = await catalog.log.sweep(seconds=60)

        assert erased == 0
        assert len((await clerk.since(0)).rows) == 2

    async def test_a_sweep_leaves_a_superseded_chunks_vector_that_another_needs(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old", source_id="a")
        await clerk.keep("old", source_id="b")
        await clerk.keep("new", source_id="a")

        await catalog.log.sweep(seconds=-1)

        assert await catalog.vectors.known(MODEL, [key_of("old")]) == {key_of("old")}

    async def test_a_sweep_erases_vectors_that_nothing_will_need(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in("lost")).document
        await clerk.publication(await clerk.claim(), "lost")
        await catalog.deletions.document(document.id)

        await catalog.log.sweep(seconds=60)

        assert await catalog.vectors.known(MODEL, [key_of("lost")]) == frozenset()

    async def test_a_sweep_leaves_vectors_that_a_coming_publication_needs(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old", source_id="a")
        await clerk.keep("new", source_id="a")
        await clerk.hand_in("coming", source_id="b")
        publication = await clerk.publication(await clerk.claim(), "coming")

        await catalog.log.sweep(seconds=-1)
        await catalog.log.publish([publication])

        texts = [chunk.text for chunk in await catalog.chunks.read(await clerk.chunk_ids())]
        assert sorted(texts) == ["coming", "new"]

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

    @pytest.mark.parametrize("seed", range(4))
    async def test_following_the_log_leads_where_reading_all_of_it_does(
        self, catalog: Catalog, clerk: Clerk, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311  # the same changes in every run
        follower = Roster(1)
        for step in range(25):
            await change(clerk, chance, step)
            if chance.random() < 0.6:
                follower.apply(await clerk.since(follower.revision))
        follower.apply(await clerk.since(follower.revision))
        reader = Roster(1)
        reader.apply(await clerk.since(0))

        assert follower.revision == reader.revision
        for groups in (("legal",), ("board",), ("everyone",), ("legal", "everyone")):
            for filters in (None, Condition("year", "eq", 2026)):
                scope = Scope(clerk.uid, member(*groups), filters, reader.revision)
                seen = follower.select(scope).ids.tolist()
                assert seen == reader.select(scope).ids.tolist()


async def change(clerk: Clerk, chance: random.Random, step: int) -> None:
    """Publish a document or its next version, change its rights, or delete it."""
    source_id = chance.choice("abcd")
    acl = chance.choice([{"legal"}, {"everyone"}, {"legal", "board"}])
    metadata = {"year": chance.choice([2025, 2026])}
    known = await clerk.find(source_id)
    match chance.choice(["keep", "keep", "grant", "delete"]):
        case "delete" if known:
            await clerk.catalog.deletions.document(known.id)
        case "grant" if known:
            text = f"{source_id} for good"
            await clerk.keep(text, source_id=source_id)
            await clerk.keep(text, source_id=source_id, acl=acl, metadata=metadata)
        case _:
            texts = [f"{step}.{part}" for part in range(chance.randint(0, 3))]
            await clerk.keep(*texts, f"{step}", source_id=source_id, acl=acl, metadata=metadata)
