"""The promises of a catalog's `Batches`, `Errands` and `Replies`, and of what it counts."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.batches import Batch, Item, Kind, Outcome, Standing
from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Rejected
from orchestrator.domain.quotas import Holding, Quota
from orchestrator.ports.catalog import Catalog, Reply

LONG_S = 60.0
SHORT_S = 0.3
REFUSED = Outcome(Standing.REFUSED, code="unsupported_content", reason="it is a picture")
ITEM = Item("a", "https://a/", 2, "A", {"year": 2026, "tags": ["x"]}, frozenset({"legal"}))


class BatchesContract:
    """Needs the fixtures `catalog` and `clerk`, of a workspace in it that has no documents."""

    async def batch(self, clerk: Clerk, kind: Kind, *names: str, seconds: float = LONG_S) -> Batch:
        """A batch with items of these names."""
        items = [Item(name, name) for name in names]
        return await clerk.catalog.batches.create(
            clerk.uid, kind, items, plan={"start": names[0]}, seconds=seconds
        )

    async def taken(self, clerk: Clerk, source_id: str) -> Outcome:
        """The outcome of an item that became a document."""
        document = (await clerk.hand_in(source_id, source_id=source_id)).document
        return Outcome(Standing.TAKEN, document_id=document.id)

    async def test_a_batch_counts_its_items_as_they_come_to_an_end(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a", "b", "c")
        errands = clerk.catalog.errands
        await errands.settle(batch.id, 1, await self.taken(clerk, "a"), seconds=LONG_S)
        await errands.settle(batch.id, 2, REFUSED, seconds=LONG_S)

        now = await clerk.catalog.batches.get(batch.id)

        assert (now.status, now.total) == ("running", 3)
        assert now.counts == {"queued": 1, "refused": 1, "waiting": 1}

    async def test_a_batch_ends_when_all_of_its_documents_do(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a")
        await clerk.catalog.errands.settle(batch.id, 1, await self.taken(clerk, "a"))
        before = await clerk.catalog.batches.get(batch.id)
        await clerk.publish("a")

        now = await clerk.catalog.batches.get(batch.id)

        assert (before.status, now.status, now.counts) == ("running", "ended", {"indexed": 1})

    async def test_the_line_of_a_document_that_failed_says_why(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a")
        await clerk.catalog.errands.settle(batch.id, 1, await self.taken(clerk, "a"))
        await clerk.queue.fail(await clerk.claim(), "the file is damaged", "broken_file")

        (line,) = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)

        assert (line.status, line.code, line.reason) == (
            "failed",
            "broken_file",
            "the file is damaged",
        )

    async def test_what_was_read_for_a_batch_is_added_up(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.WEBSITE, "a", "b", "c")
        large = 2**33
        await clerk.catalog.errands.settle(batch.id, 1, REFUSED, spent=large)
        await clerk.catalog.errands.settle(batch.id, 2, REFUSED, spent=5)
        await clerk.catalog.errands.settle(batch.id, 2, REFUSED, spent=5)

        now = await clerk.catalog.batches.get(batch.id)

        assert (batch.bytes, now.bytes) == (0, large + 5)

    async def test_lines_say_what_became_of_each_page_by_page(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a", "b", "c")
        outcome = await self.taken(clerk, "a")
        await clerk.catalog.errands.settle(batch.id, 1, outcome)
        await clerk.catalog.errands.settle(batch.id, 2, REFUSED)
        await clerk.catalog.deletions.document(outcome.document_id or "")

        first = await clerk.catalog.batches.lines(batch.id, after=0, limit=2)
        second = await clerk.catalog.batches.lines(batch.id, after=first[-1].number, limit=2)

        told = [(one.source_id, one.status, one.document_id) for one in (*first, *second)]
        assert told == [
            ("a", "deleted", outcome.document_id),
            ("b", "refused", None),
            ("c", "waiting", None),
        ]
        assert (first[1].code, first[1].reason) == (REFUSED.code, REFUSED.reason)

    async def test_several_items_are_settled_together(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a", "b", "c", seconds=SHORT_S)
        taken, late = await self.taken(clerk, "a"), Outcome(Standing.SKIPPED, code="late")
        settle = clerk.catalog.errands.settle_all
        await settle(batch.id, {1: taken, 2: REFUSED}, seconds=SHORT_S)
        await settle(batch.id, {2: late}, seconds=LONG_S)
        await asyncio.sleep(2 * SHORT_S)

        now = await clerk.catalog.batches.get(batch.id)

        lines = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert [(one.status, one.document_id, one.code) for one in lines] == [
            ("queued", taken.document_id, None),
            ("refused", None, REFUSED.code),
            ("waiting", None, None),
        ]
        assert now.status == "running"

    async def test_files_of_which_none_waits_are_not_interrupted(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a", "b", seconds=SHORT_S)
        await clerk.catalog.errands.settle_all(batch.id, {1: REFUSED}, seconds=SHORT_S)
        await clerk.catalog.errands.settle_all(batch.id, {2: REFUSED}, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        assert (await clerk.catalog.batches.get(batch.id)).status == "ended"

    async def test_files_whose_request_died_are_interrupted_and_no_errand(
        self, clerk: Clerk
    ) -> None:
        batch = await self.batch(clerk, Kind.FILES, "a", "b", seconds=SHORT_S)
        await clerk.catalog.errands.settle(batch.id, 1, REFUSED, seconds=SHORT_S)
        held = await clerk.catalog.batches.get(batch.id)
        await asyncio.sleep(2 * SHORT_S)

        now = await clerk.catalog.batches.get(batch.id)

        assert (held.status, now.status) == ("running", "interrupted")
        assert await clerk.catalog.errands.take("a", seconds=LONG_S) is None

    async def test_an_unknown_batch_is_not_found(self, clerk: Clerk) -> None:
        with pytest.raises(NotFound):
            await clerk.catalog.batches.get("0" * 32)

    async def test_a_batch_of_a_workspace_that_is_gone_is_not_made(self, clerk: Clerk) -> None:
        await clerk.catalog.deletions.workspace(clerk.name)

        with pytest.raises(NotFound):
            await self.batch(clerk, Kind.MANIFEST, "a")

    async def test_an_errand_is_its_item_as_it_was_given(self, clerk: Clerk) -> None:
        plan = {"max_pages": 3}
        batch = await clerk.catalog.batches.create(
            clerk.uid, Kind.WEBSITE, [ITEM], plan=plan, seconds=LONG_S
        )

        errand = await clerk.catalog.errands.take("a", seconds=LONG_S)

        assert errand is not None
        assert (errand.batch.id, errand.batch.plan, errand.number) == (batch.id, plan, 1)
        assert errand.item == ITEM

    async def test_a_batch_is_one_runners_until_its_claim_ends(self, clerk: Clerk) -> None:
        await self.batch(clerk, Kind.MANIFEST, "a", "b")
        first = await clerk.catalog.errands.take("a", seconds=SHORT_S)
        second = await clerk.catalog.errands.take("b", seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)
        third = await clerk.catalog.errands.take("b", seconds=LONG_S)

        assert (first and first.number, second, third and third.number) == (1, None, 1)

    async def test_a_runner_that_stops_gives_its_batch_back_at_once(self, clerk: Clerk) -> None:
        await self.batch(clerk, Kind.MANIFEST, "a")
        await clerk.catalog.errands.take("a", seconds=LONG_S)
        await clerk.catalog.errands.release("b")
        held = await clerk.catalog.errands.take("b", seconds=LONG_S)
        await clerk.catalog.errands.release("a")

        again = await clerk.catalog.errands.take("b", seconds=LONG_S)

        assert (held, again and again.number) == (None, 1)

    async def test_items_come_in_order_and_once(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.MANIFEST, "a", "b")
        order = []
        while errand := await clerk.catalog.errands.take("a", seconds=LONG_S):
            order.append(errand.item.source_id)
            await clerk.catalog.errands.settle(batch.id, errand.number, REFUSED)
            await asyncio.sleep(SHORT_S)

        assert order == ["a", "b"]
        assert (await clerk.catalog.batches.get(batch.id)).status == "ended"

    async def test_what_is_found_is_added_once_and_up_to_the_most(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.WEBSITE, "a")
        found = [Item(name, name, 1) for name in ("b", "a", "b", "c", "d")]

        await clerk.catalog.errands.settle(batch.id, 1, REFUSED, found=found, most=3)

        lines = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert [(one.number, one.source_id) for one in lines] == [(1, "a"), (2, "b"), (3, "c")]

    async def test_what_was_settled_stays_so(self, clerk: Clerk) -> None:
        batch = await self.batch(clerk, Kind.WEBSITE, "a")
        await clerk.catalog.errands.settle(batch.id, 1, REFUSED)

        late = Outcome(Standing.SKIPPED, code="late")
        await clerk.catalog.errands.settle(batch.id, 1, late, found=[Item("b")], most=9)

        (line,) = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert (line.status, line.code) == ("refused", REFUSED.code)

    async def test_a_deleted_workspace_has_no_errands_and_then_no_batches(
        self, clerk: Clerk
    ) -> None:
        batch = await self.batch(clerk, Kind.WEBSITE, "a")
        uid = await clerk.catalog.deletions.workspace(clerk.name)
        errand = await clerk.catalog.errands.take("a", seconds=LONG_S)
        await clerk.catalog.deletions.erase(uid)

        assert errand is None
        with pytest.raises(NotFound):
            await clerk.catalog.batches.get(batch.id)


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


class HoldingContract:
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
        smaller = clerk.arrival("one", known=await clerk.find(NAME))

        await clerk.register(smaller, quota=Quota(0, 2))

        assert await clerk.catalog.documents.holding(clerk.uid) == Holding(1, 3)


NAME = "refunds.txt"
