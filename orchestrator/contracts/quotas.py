"""What a catalog promises of how much a workspace holds, and of the quota that bounds it."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.errors import Conflict, Exhausted
from orchestrator.domain.quotas import Holding, Quota
from orchestrator.ports.catalog import Catalog


class QuotaContract:
    """Needs the fixtures `catalog` and `clerk`, of a workspace in it that has no documents."""

    async def hand_in(self, clerk: Clerk, text: str, quota: Quota) -> None:
        """Register a document of that text, within the quota."""
        arrival = clerk.arrival(text, source_id=text)
        await clerk.register(arrival, quota=quota)

    async def test_a_workspace_holds_the_newest_version_of_live_documents(
        self, clerk: Clerk
    ) -> None:
        seen = [await clerk.catalog.documents.holding(clerk.uid)]
        for text in ("four", "sixsix", "sixsix"):
            await clerk.hand_in(text)
            seen.append(await clerk.catalog.documents.holding(clerk.uid))
        document = (await clerk.hand_in("b", source_id="b")).document
        await clerk.catalog.deletions.document(document.id)
        await clerk.catalog.deletions.document(document.id)
        seen.append(await clerk.catalog.documents.holding(clerk.uid))

        sizes = [(one.documents, one.bytes) for one in seen]
        assert sizes == [(0, 0), (1, 4), (1, 6), (1, 6), (1, 6)]

    async def test_many_that_are_deleted_together_are_held_no_more(self, clerk: Clerk) -> None:
        catalog = clerk.catalog
        one, two, kept = [(await clerk.hand_in(n, source_id=n)).document for n in ("a", "bb", "c")]
        await catalog.deletions.hold(kept.id, "litigation")
        with pytest.raises(Conflict):
            await catalog.deletions.document(kept.id)

        await catalog.deletions.documents([one.id, two.id, kept.id, one.id])

        assert await catalog.documents.holding(clerk.uid) == Holding(1, 1)

    async def test_working_on_a_document_again_holds_no_more(self, clerk: Clerk) -> None:
        document = await clerk.keep("four")

        await clerk.catalog.versions.requeue(document.id)
        await clerk.publish("four")

        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(1, 4)

    async def test_more_bytes_are_held_than_a_small_number_counts(self, clerk: Clerk) -> None:
        large = [replace(clerk.arrival(n, source_id=n), size=2**31 - 1) for n in ("a", "b")]
        for arrival in large:
            await clerk.register(arrival)

        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(2, 2**32 - 2)

    @pytest.mark.parametrize("quota", [Quota(max_documents=2), Quota(max_bytes=9)])
    async def test_what_is_beyond_the_quota_is_refused_and_leaves_nothing(
        self, clerk: Clerk, quota: Quota
    ) -> None:
        await self.hand_in(clerk, "four", quota)
        await self.hand_in(clerk, "five", quota)

        with pytest.raises(Exhausted) as raised:
            await self.hand_in(clerk, "more", quota)

        assert raised.value.code == "quota_exceeded"
        assert await clerk.find("more") is None
        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(2, 8)

    async def test_of_arrivals_together_the_first_that_fit_are_admitted(self, clerk: Clerk) -> None:
        arrivals = [clerk.arrival(text, source_id=text) for text in ("four", "seventy", "two")]

        fates = await clerk.catalog.documents.register(
            clerk.uid, arrivals, quota=Quota(max_bytes=8)
        )

        assert [type(one).__name__ for one in fates] == ["Registered", "Exhausted", "Registered"]
        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(2, 7)

    async def test_uploads_at_once_do_not_pass_the_quota_together(
        self, clerk: Clerk, another: Catalog
    ) -> None:
        beside = Clerk(another, clerk.queue, await another.workspaces.by_uid(clerk.uid))
        results = await asyncio.gather(
            *(
                self.hand_in(one, f"{number}", Quota(max_documents=3))
                for number, one in enumerate((clerk, beside) * 4)
            ),
            return_exceptions=True,
        )

        assert [type(one).__name__ for one in results if one] == ["Exhausted"] * 5
        assert (await clerk.catalog.documents.holding(clerk.uid)).documents == 3

    async def test_what_is_above_a_lowered_quota_may_shrink(self, clerk: Clerk) -> None:
        await clerk.hand_in("four")
        smaller = clerk.arrival("one", known=await clerk.find("refunds.txt"))

        await clerk.register(smaller, quota=Quota(0, 2))

        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(1, 3)
