"""The promises of a catalog's `Replies`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.errors import Conflict, Rejected
from orchestrator.ports.catalog import Catalog, Reply

LONG_S = 60.0
SHORT_S = 0.02


class RepliesContract:
    """Needs the fixtures `catalog` and `clerk`."""

    async def begin(self, clerk: Clerk, print_: str = "p", seconds: float = LONG_S) -> Reply | None:
        """Begin a request of the subject `ada`, under the key `k`."""
        return await clerk.catalog.replies.begin(
            "ada", "k", print_, workspace=clerk.uid, seconds=seconds
        )

    async def test_a_finished_request_gives_its_answer_again(self, clerk: Clerk) -> None:
        reply = Reply("/v1/jobs/1", {"id": "1"})
        first = await self.begin(clerk)
        await clerk.catalog.replies.finish("ada", "k", reply)

        assert (first, await self.begin(clerk)) == (None, reply)

    async def test_another_request_under_the_same_key_is_refused(self, clerk: Clerk) -> None:
        await self.begin(clerk)

        with pytest.raises(Rejected) as raised:
            await self.begin(clerk, "q")
        assert raised.value.code == "idempotency_conflict"

    async def test_of_requests_at_once_one_is_let_in(self, clerk: Clerk, another: Catalog) -> None:
        beside = Clerk(another, clerk.queue, await another.workspaces.by_uid(clerk.uid))
        results = await asyncio.gather(
            *(self.begin(one) for one in (clerk, beside) * 3), return_exceptions=True
        )

        refused = [one for one in results if isinstance(one, Conflict)]
        assert (results.count(None), len(refused)) == (1, 5)
        assert {(one.code, one.retry_after) for one in refused} == {
            ("idempotency_in_progress", 1.0)
        }

    async def test_a_key_is_free_when_its_request_failed_or_died(self, clerk: Clerk) -> None:
        await self.begin(clerk, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
        after_death = await self.begin(clerk)
        await clerk.catalog.replies.forget("ada", "k")

        assert (after_death, await self.begin(clerk, "q")) == (None, None)

    async def test_keys_of_two_callers_are_two(self, clerk: Clerk) -> None:
        await self.begin(clerk)

        other = await clerk.catalog.replies.begin(
            "bob", "k", "q", workspace=clerk.uid, seconds=LONG_S
        )
        assert other is None

    async def test_an_answer_forgets_the_document_that_is_deleted(self, clerk: Clerk) -> None:
        document = (await clerk.hand_in()).document
        await self.begin(clerk)
        kept = Reply("/v1/documents/1", {"title": "Secret"}, document.id)
        await clerk.catalog.replies.finish("ada", "k", kept)
        await clerk.catalog.deletions.document(document.id)

        assert await self.begin(clerk) == Reply("/v1/documents/1", None, document.id)

    async def test_so_it_does_when_many_are_deleted(self, clerk: Clerk) -> None:
        document = (await clerk.hand_in()).document
        await self.begin(clerk)
        kept = Reply("/v1/documents/1", {"title": "Secret"}, document.id)
        await clerk.catalog.replies.finish("ada", "k", kept)
        await clerk.catalog.deletions.documents([document.id])

        assert await self.begin(clerk) == Reply("/v1/documents/1", None, document.id)
