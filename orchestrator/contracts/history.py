"""The promises of a catalog's `Versions`, and of what it keeps of each reading."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.documents import Reading, Stage, Status
from orchestrator.domain.errors import NotFound
from orchestrator.ports.catalog import Catalog

READING = Reading(
    pages=12,
    warnings=("page 3 has no text layer",),
    properties={"author": "Ada", "language": "en"},
    timings={"queued": 0.25, "parsing": 1.5, "total": 2.0},
)


async def fail(clerk: Clerk, reason: str = "the file is damaged") -> None:
    """The oldest job ends without success."""
    await clerk.queue.fail(await clerk.claim(), reason, "broken_file")


class VersionsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_what_was_learnt_by_reading_is_kept_with_the_version(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        document = await clerk.publish("Refunds are paid.", reading=READING)

        reading = (await catalog.documents.get(document.id)).reading

        assert reading is not None
        assert (reading.pages, list(reading.warnings)) == (12, ["page 3 has no text layer"])
        assert (reading.properties, reading.timings) == (READING.properties, READING.timings)

    async def test_a_version_that_was_not_read_yet_has_no_reading_of_another(
        self, clerk: Clerk
    ) -> None:
        await clerk.hand_in("old")
        before = await clerk.publish("old", reading=READING)
        after = (await clerk.hand_in("new")).document

        assert before.indexed_at is not None
        assert (after.reading, after.indexed_at) == (None, None)

    async def test_a_document_says_when_it_was_queued_and_indexed(self, clerk: Clerk) -> None:
        before = datetime.now(UTC)
        document = await clerk.keep("Refunds are paid.")

        assert document.queued_at is not None
        assert document.indexed_at is not None
        assert before <= document.queued_at <= document.indexed_at <= datetime.now(UTC)

    async def test_the_stage_goes_from_queued_to_nothing_left_to_do(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document
        stages = [document.stage]
        await catalog.documents.work(document.id, 1)
        stages.append((await catalog.documents.get(document.id)).stage)
        await catalog.documents.reached(Stage.EMBEDDING, [document.id])
        stages.append((await catalog.documents.get(document.id)).stage)
        stages.append((await clerk.publish("Refunds are paid.")).stage)

        assert stages == [Stage.QUEUED, Stage.PARSING, Stage.EMBEDDING, None]

    async def test_a_stage_is_noted_only_of_what_is_being_processed(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        done = await clerk.keep("One.", source_id="a")
        waits = (await clerk.hand_in("Two.", source_id="b")).document

        await catalog.documents.reached(Stage.EMBEDDING, [done.id, waits.id, "0" * 32])

        assert await catalog.documents.get(done.id) == done
        assert await catalog.documents.get(waits.id) == waits

    async def test_how_far_a_stage_is_moves_the_progress_and_is_forgotten_after_it(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document

        async def progress() -> float:
            return (await catalog.documents.get(document.id)).progress or 0.0

        await catalog.documents.advanced({document.id: 0.9})
        seen = [await progress()]
        await catalog.documents.work(document.id, 1)
        seen.append(await progress())
        await catalog.documents.advanced({document.id: 0.5, "unknown": 0.5})
        seen.append(await progress())
        await catalog.documents.reached(Stage.EMBEDDING, [document.id])
        seen.append(await progress())

        assert seen == pytest.approx([0.0, 0.1, 0.3, 0.5])

    @pytest.mark.parametrize("how", ["failed", "replaced", "deleted"])
    async def test_a_stage_does_not_outlast_the_work(
        self, catalog: Catalog, clerk: Clerk, how: str
    ) -> None:
        document = (await clerk.hand_in("old")).document
        await catalog.documents.work(document.id, 1)
        await catalog.documents.reached(Stage.EMBEDDING, [document.id])
        match how:
            case "failed":
                await fail(clerk)
            case "replaced":
                await clerk.hand_in("new")
            case "deleted":
                await catalog.deletions.document(document.id)

        stage = (await catalog.documents.get(document.id)).stage

        assert stage is (Stage.QUEUED if how == "replaced" else None)

    async def test_what_waits_is_counted_until_it_came_to_its_end(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        counts = [await catalog.documents.waiting()]
        for name in "ab":
            await clerk.hand_in(name, source_id=name)
        await other.hand_in()
        counts.append(await catalog.documents.waiting())
        await clerk.publish("a")
        counts.append(await catalog.documents.waiting())
        await fail(clerk)
        counts.append(await catalog.documents.waiting())

        assert counts == [0, 3, 2, 1]

    async def test_every_version_is_told_newest_first(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("old", title="Old title")
        document = await clerk.keep("new", "text", title="New title")

        new, old = await catalog.versions.list(document.id, before=None, limit=9)

        assert (new.number, new.title, new.chunks) == (2, "New title", 2)
        assert (old.number, old.title, old.chunks) == (1, "Old title", 1)
        assert (new.status, old.status) == (Status.INDEXED, None)
        assert (new.size, new.media_type, new.content_hash) == (
            document.size,
            "text/plain",
            document.content_hash,
        )
        assert new.blob_key == f"{clerk.uid}/{document.id}/{new.content_hash}"
        assert new.created_at >= old.created_at

    async def test_the_old_version_is_indexed_until_the_new_one_is(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("old")
        seen = []

        async def look() -> None:
            found = await catalog.versions.list(document.id, before=None, limit=9)
            seen.append([one.status for one in found])

        await clerk.hand_in("new")
        await look()
        await fail(clerk)
        await look()
        await clerk.keep("newer")
        await look()

        assert seen == [
            [Status.QUEUED, Status.INDEXED],
            [Status.FAILED, Status.INDEXED],
            [Status.INDEXED, Status.FAILED, None],
        ]

    async def test_versions_come_in_pages(self, catalog: Catalog, clerk: Clerk) -> None:
        for text in "abcde":
            document = (await clerk.hand_in(text)).document

        first = await catalog.versions.list(document.id, before=None, limit=2)
        second = await catalog.versions.list(document.id, before=first[-1].number, limit=9)

        assert [one.number for one in first] == [5, 4]
        assert [one.number for one in second] == [3, 2, 1]

    async def test_one_version_is_read_by_its_number(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("old")
        document = await clerk.keep("new")

        _, old = await catalog.versions.list(document.id, before=None, limit=2)

        assert await catalog.versions.get(document.id, 1) == old
        with pytest.raises(NotFound):
            await catalog.versions.get(document.id, 3)
        with pytest.raises(NotFound):
            await catalog.versions.get("0" * 32, 1)

    async def test_a_deleted_document_has_no_versions(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(document.id)

        assert await catalog.versions.list(document.id, before=None, limit=9) == []
        with pytest.raises(NotFound):
            await catalog.versions.get(document.id, 1)
        with pytest.raises(NotFound):
            await catalog.versions.requeue(document.id)

    async def test_what_failed_can_be_worked_on_again(self, catalog: Catalog, clerk: Clerk) -> None:
        document = (await clerk.hand_in()).document
        await fail(clerk)

        queued = await catalog.versions.requeue(document.id)
        indexed = await clerk.publish("Refunds are paid.")

        assert (queued.status, queued.stage, queued.error) == (Status.QUEUED, Stage.QUEUED, None)
        assert (indexed.status, indexed.version) == (Status.INDEXED, 1)
        (version,) = await catalog.versions.list(document.id, before=None, limit=9)
        assert version.status is Status.INDEXED

    async def test_an_indexed_document_that_is_worked_on_again_is_seen_until_it_is_replaced(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("badly read")
        before = await clerk.chunk_ids()

        queued = await catalog.versions.requeue(document.id)
        during = await clerk.chunk_ids()
        again = await clerk.publish("well read")
        rows = (await clerk.since(0)).rows

        assert (queued.status, queued.revision) == (Status.QUEUED, document.revision)
        assert during == before
        assert [(row.added, row.removed) for row in rows] == [
            (document.revision, again.revision),
            (again.revision, None),
        ]
        assert again.version == document.version

    async def test_what_waits_already_is_not_queued_twice(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        waits = (await clerk.hand_in("a", source_id="a")).document
        works = (await clerk.hand_in("b", source_id="b")).document
        await catalog.documents.work(works.id, 1)

        assert await catalog.versions.requeue(waits.id) == waits
        await catalog.versions.requeue(works.id)

        assert len(await clerk.queue.claim("a", limit=9, seconds=60)) == 2
