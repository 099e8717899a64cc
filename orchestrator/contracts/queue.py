"""The promises of a `Queue`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.documents import Status
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import GAVE_UP, Job, Queue

LONG_S = 60.0
SHORT_S = 0.02
PATIENCE = 3
"""So many claims in a row that give nothing: then there is nothing."""


async def taken(queue: Queue, worker: str, *, limit: int, seconds: float) -> list[Job]:
    """What the worker gets once jobs are where it looks for them, in however many claims."""
    await queue.dispatch()
    found: list[Job] = []
    patience = PATIENCE
    while len(found) < limit and patience:
        more = await queue.claim(worker, limit=limit - len(found), seconds=seconds)
        found += more
        patience = PATIENCE if more else patience - 1
    return found


class QueueContract:
    """Needs the fixtures `queue` and `catalog`, both new, where the queue is the catalog's."""

    @pytest.fixture
    async def clerk(self, catalog: Catalog, queue: Queue) -> Clerk:
        return await Clerk.of(catalog, queue)

    async def hand_in(self, clerk: Clerk, count: int) -> list[str]:
        """That many uploads; their documents' ids."""
        return [
            (await clerk.hand_in(source_id=f"{number}.txt")).document.id for number in range(count)
        ]

    async def test_an_empty_queue_gives_nothing(self, queue: Queue) -> None:
        jobs = await taken(queue, "a", limit=5, seconds=LONG_S)

        assert list(jobs) == []

    async def test_an_upload_is_a_job(self, queue: Queue, clerk: Clerk) -> None:
        document = (await clerk.hand_in()).document

        (job,) = await taken(queue, "a", limit=5, seconds=LONG_S)

        assert (job.workspace, job.document_id) == (clerk.uid, document.id)
        assert (job.version, job.attempts) == (1, 1)

    async def test_a_claim_takes_no_more_jobs_than_its_limit(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        ids = await self.hand_in(clerk, 5)
        await queue.dispatch()

        jobs: list[Job] = []
        while more := await queue.claim("a", limit=2, seconds=LONG_S):
            assert len(more) <= 2
            jobs += more

        assert sorted(job.document_id for job in jobs) == sorted(ids)

    async def test_no_job_is_claimed_by_two(self, queue: Queue, clerk: Clerk) -> None:
        ids = await self.hand_in(clerk, 10)

        claims = [taken(queue, f"worker {number}", limit=3, seconds=LONG_S) for number in range(8)]
        jobs = [job.document_id for claimed in await asyncio.gather(*claims) for job in claimed]

        assert sorted(jobs) == sorted(ids)

    async def test_a_job_returns_when_its_claim_ends(self, queue: Queue, clerk: Clerk) -> None:
        await clerk.hand_in()
        (first,) = await taken(queue, "a", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        (again,) = await taken(queue, "b", limit=1, seconds=LONG_S)

        assert (again.id, again.attempts) == (first.id, 2)

    async def test_a_claim_that_was_renewed_has_not_ended(self, queue: Queue, clerk: Clerk) -> None:
        await self.hand_in(clerk, 2)
        await taken(queue, "a", limit=2, seconds=SHORT_S)
        await queue.renew("a", seconds=LONG_S)
        await asyncio.sleep(2 * SHORT_S)

        assert list(await taken(queue, "b", limit=2, seconds=LONG_S)) == []

    async def test_renewing_extends_nobody_elses_claim(self, queue: Queue, clerk: Clerk) -> None:
        await clerk.hand_in()
        await taken(queue, "a", limit=1, seconds=SHORT_S)
        await queue.renew("b", seconds=LONG_S)
        await asyncio.sleep(2 * SHORT_S)

        assert len(await taken(queue, "b", limit=1, seconds=LONG_S)) == 1

    async def test_a_worker_that_was_slow_does_not_take_its_job_back(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        await taken(queue, "slow", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
        await taken(queue, "b", limit=1, seconds=LONG_S)

        await queue.renew("slow", seconds=LONG_S)
        await queue.release("slow")

        assert list(await taken(queue, "c", limit=1, seconds=LONG_S)) == []

    async def test_what_was_released_can_be_claimed_at_once(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        ids = await self.hand_in(clerk, 3)
        await taken(queue, "a", limit=2, seconds=LONG_S)

        await queue.release("a")
        jobs = await taken(queue, "b", limit=5, seconds=LONG_S)

        assert sorted(job.document_id for job in jobs) == sorted(ids)

    @pytest.mark.parametrize("tried", [True, False])
    async def test_what_was_released_untried_was_no_attempt(
        self, queue: Queue, clerk: Clerk, tried: bool
    ) -> None:
        await clerk.hand_in()
        await taken(queue, "a", limit=1, seconds=LONG_S)

        await queue.release("a", tried=tried)
        (job,) = await taken(queue, "b", limit=1, seconds=LONG_S)

        assert job.attempts == (2 if tried else 1)

    async def test_releasing_leaves_what_others_hold(self, queue: Queue, clerk: Clerk) -> None:
        await clerk.hand_in()
        await taken(queue, "a", limit=1, seconds=LONG_S)

        await queue.release("b")

        assert list(await taken(queue, "b", limit=1, seconds=LONG_S)) == []

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

    async def test_a_job_that_was_tried_twice_comes_alone(self, queue: Queue, clerk: Clerk) -> None:
        (tried,) = await self.hand_in(clerk, 1)
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

    async def test_a_postponed_job_is_taken_no_sooner_than_it_is_due(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await self.hand_in(clerk, 2)
        first, other = await taken(queue, "a", limit=2, seconds=LONG_S)
        await queue.postpone(first, seconds=0.3)

        before = await taken(queue, "b", limit=2, seconds=LONG_S)
        backlog = await queue.backlog()
        await asyncio.sleep(0.35)
        (again,) = await taken(queue, "b", limit=2, seconds=LONG_S)

        assert (before, backlog.waiting) == ([], 1)
        assert (again.id, again.attempts, other.id != again.id) == (first.id, 2, True)

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
        await self.hand_in(clerk, 2)
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

    async def test_a_newer_version_takes_the_place_of_the_older_ones_job(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        await clerk.hand_in("old")
        await clerk.hand_in("new")

        (job,) = await taken(queue, "a", limit=5, seconds=LONG_S)

        assert job.version == 2

    async def test_a_published_job_is_gone(self, queue: Queue, clerk: Clerk) -> None:
        await clerk.keep("Refunds are paid.")

        assert list(await taken(queue, "a", limit=5, seconds=LONG_S)) == []

    async def test_a_deleted_document_has_no_job(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in()).document

        await catalog.deletions.document(document.id)

        assert list(await taken(queue, "a", limit=5, seconds=LONG_S)) == []

    async def test_a_deleted_workspace_has_no_jobs(
        self, queue: Queue, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, queue, "other")
        await self.hand_in(clerk, 3)
        kept = (await other.hand_in()).document

        await catalog.deletions.workspace(clerk.name)

        jobs = await taken(queue, "a", limit=5, seconds=LONG_S)
        assert [job.document_id for job in jobs] == [kept.id]

    async def test_the_backlog_is_what_no_worker_has_begun(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        empty = await queue.backlog()
        await self.hand_in(clerk, 3)
        await taken(queue, "a", limit=1, seconds=LONG_S)
        await taken(queue, "b", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        backlog = await queue.backlog()

        assert (empty.waiting, empty.oldest_s, backlog.waiting) == (0, 0.0, 2)
        assert 2 * SHORT_S <= backlog.oldest_s < LONG_S
