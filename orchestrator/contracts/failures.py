"""What a `Queue` promises of jobs that come to no good end."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.claims import LONG_S, SHORT_S, taken
from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.documents import Status
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import GAVE_UP, Queue


class FailuresContract:
    """Needs the fixtures `queue` and `catalog`, both new, and `clerk`, of a workspace in them."""

    async def test_a_failed_job_is_gone_and_its_document_says_why(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)

        await queue.fail(job, "the file is damaged", "broken_file")
        await queue.release("a")

        document = await catalog.documents.get(job.document_id)
        assert document.status is Status.FAILED
        assert (document.error, document.error_code) == ("the file is damaged", "broken_file")
        assert list(await taken(queue, "b", limit=1, seconds=LONG_S)) == []

    async def test_a_postponed_job_is_not_taken_before_it_is_due(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in_many(2)
        first, _ = await taken(queue, "a", limit=2, seconds=LONG_S)
        await queue.postpone(first, seconds=LONG_S)

        before = await taken(queue, "b", limit=2, seconds=LONG_S)
        backlog = await queue.backlog()

        assert (before, backlog.waiting) == ([], 1)

    async def test_a_postponed_job_is_taken_when_it_is_due(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in_many(2)
        first, _ = await taken(queue, "a", limit=2, seconds=LONG_S)
        await queue.postpone(first, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        (again,) = await taken(queue, "b", limit=2, seconds=LONG_S)

        assert (again.id, again.attempts) == (first.id, 2)

    async def test_a_postponement_that_was_no_attempt_is_not_counted(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)

        await queue.postpone(job, seconds=0.0, tried=False)

        (again,) = await taken(queue, "b", limit=1, seconds=LONG_S)
        assert (again.id, again.attempts) == (job.id, 1)

    @pytest.mark.parametrize("how", ["fail", "bury", "postpone"])
    async def test_a_worker_that_was_slow_cannot_end_what_another_has(
        self, queue: Queue, catalog: Catalog, clerk: Clerk, how: str
    ) -> None:
        await clerk.hand_in()
        (mine,) = await taken(queue, "slow", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
        (theirs,) = await taken(queue, "b", limit=1, seconds=LONG_S)

        match how:
            case "fail":
                await queue.fail(mine, "too slow", "too_slow")
            case "bury":
                await queue.bury(mine, "gave up")
            case "postpone":
                await queue.postpone(mine, seconds=0.0)

        document = await catalog.documents.get(mine.document_id)
        assert (document.status, document.error) == (Status.QUEUED, None)
        assert list(await taken(queue, "c", limit=1, seconds=LONG_S)) == []
        await queue.fail(theirs, "the file is damaged", "broken_file")
        assert (await catalog.documents.get(mine.document_id)).error == "the file is damaged"

    async def test_a_failure_that_comes_after_the_end_changes_nothing(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (mine,) = await taken(queue, "slow", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
        indexed = await clerk.publish("Refunds are paid.")

        await queue.fail(mine, "too slow", "too_slow")

        after = await catalog.documents.get(indexed.id)
        assert (after.status, after.error) == (Status.INDEXED, None)

    async def test_what_is_given_up_is_listed_until_it_is_revived(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in_many(2)
        first, other = await taken(queue, "a", limit=2, seconds=LONG_S)
        await queue.fail(other, "the file is damaged", "broken_file")
        before = list(await queue.dead())

        await queue.bury(first, "gave up")
        (letter,) = await queue.dead()
        failed = await catalog.documents.get(first.document_id)
        await catalog.versions.requeue(first.document_id)
        await queue.discard(letter)
        after = list(await queue.dead())
        (revived,) = await taken(queue, "a", limit=2, seconds=LONG_S)

        assert (before, after) == ([], [])
        assert (letter.document_id, letter.reason) == (first.document_id, "gave up")
        assert (failed.status, failed.error, failed.error_code) == ("failed", "gave up", GAVE_UP)
        assert (revived.document_id, revived.attempts) == (first.document_id, 1)

    async def test_a_deleted_document_is_no_dead_letter(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        await queue.bury(job, "gave up")

        await catalog.deletions.document(job.document_id)

        assert list(await queue.dead()) == []

    async def test_a_failed_document_has_come_to_its_end(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        before = await catalog.documents.outcomes([job.document_id])

        await queue.fail(job, "the file is damaged", "broken_file")

        after = await catalog.documents.outcomes([job.document_id])
        assert (before, after) == ({}, {job.document_id: "the file is damaged"})

    async def test_a_failed_document_can_be_handed_in_again(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        await queue.fail(job, "the file is damaged", "broken_file")

        again = await clerk.hand_in()
        (fresh,) = await taken(queue, "a", limit=1, seconds=LONG_S)

        assert not again.duplicate
        assert (again.document.error, again.document.error_code) == (None, None)
        assert fresh.document_id == job.document_id

    async def test_a_job_that_fails_after_a_newer_version_came_fails_nothing(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in("old")
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        await clerk.hand_in("new")

        await queue.fail(job, "the file is damaged", "broken_file")

        document = await catalog.documents.get(job.document_id)
        assert (document.status, document.error) == (Status.QUEUED, None)
        (fresh,) = await taken(queue, "a", limit=5, seconds=LONG_S)
        assert fresh.version == 2

    async def test_a_job_that_was_tried_twice_comes_alone(self, queue: Queue, clerk: Clerk) -> None:
        (tried,) = await clerk.hand_in_many(1)
        for worker in ("a", "b"):
            await taken(queue, worker, limit=1, seconds=LONG_S)
            await queue.release(worker)
        await clerk.hand_in(source_id="other.txt")
        await queue.dispatch()

        batches = []
        while jobs := await queue.claim("c", limit=5, seconds=LONG_S):
            batches.append([job.document_id for job in jobs])
            await queue.dispatch()

        assert [len(one) for one in batches] == [1, 1]
        assert [tried] in batches
