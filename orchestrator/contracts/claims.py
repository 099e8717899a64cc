"""What a `Queue` promises of claims: each job to one worker, until it is done."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import Job, Queue

LONG_S = 60.0
SHORT_S = 0.02
PATIENCE = 3
"""So many claims in a row that give nothing: then there is nothing."""
MORE_PATIENCE = 10
"""So many while jobs wait: they may be on their way, or not be due."""


async def taken(queue: Queue, worker: str, *, limit: int, seconds: float) -> list[Job]:
    """What the worker gets once jobs are where it looks for them, in however many claims."""
    await queue.dispatch()
    found: list[Job] = []
    empty = 0
    while len(found) < limit and empty < await _patience(queue):
        more = await queue.claim(worker, limit=limit - len(found), seconds=seconds)
        found += more
        empty = 0 if more else empty + 1
    return found


async def _patience(queue: Queue) -> int:
    return MORE_PATIENCE if (await queue.backlog()).waiting else PATIENCE


class ClaimsContract:
    """Needs the fixtures `queue` and `catalog`, both new, and `clerk`, of a workspace in them."""

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
        ids = await clerk.hand_in_many(5)
        await queue.dispatch()

        jobs: list[Job] = []
        while more := await queue.claim("a", limit=2, seconds=LONG_S):
            assert len(more) <= 2
            jobs += more

        assert sorted(job.document_id for job in jobs) == sorted(ids)

    async def test_no_job_is_claimed_by_two(self, queue: Queue, clerk: Clerk) -> None:
        ids = await clerk.hand_in_many(10)

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
        await clerk.hand_in_many(2)
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
        ids = await clerk.hand_in_many(3)
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
        await clerk.hand_in_many(3)
        kept = (await other.hand_in()).document

        await catalog.deletions.workspace(clerk.name)

        jobs = await taken(queue, "a", limit=5, seconds=LONG_S)
        assert [job.document_id for job in jobs] == [kept.id]

    async def test_the_backlog_is_what_no_worker_has_begun(
        self, queue: Queue, clerk: Clerk
    ) -> None:
        empty = await queue.backlog()
        await clerk.hand_in_many(3)
        await taken(queue, "a", limit=1, seconds=LONG_S)
        await taken(queue, "b", limit=1, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        backlog = await queue.backlog()

        assert (empty.waiting, empty.oldest_s, backlog.waiting) == (0, 0.0, 2)
        assert 2 * SHORT_S <= backlog.oldest_s < LONG_S
