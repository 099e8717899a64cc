"""The promises of a catalog's `Errands`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.batches import LONG_S, REFUSED, SHORT_S, batch_of, taken
from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.batches import Ending, Item, Kind, Outcome, Standing
from orchestrator.domain.errors import NotFound

ITEM = Item("a", "https://a/", 2, "A", {"year": 2026, "tags": ["x"]}, frozenset({"legal"}))


class ErrandsContract:
    """Needs the fixtures `catalog` and `clerk`, of a workspace in it that has no documents."""

    async def test_what_was_read_for_a_batch_is_added_up(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.WEBSITE, "a", "b", "c")
        large = 2**33
        await clerk.catalog.errands.settle(batch.id, 1, Ending(REFUSED, spent=large))
        await clerk.catalog.errands.settle(batch.id, 2, Ending(REFUSED, spent=5))
        await clerk.catalog.errands.settle(batch.id, 2, Ending(REFUSED, spent=5))

        now = await clerk.catalog.batches.get(batch.id)

        assert (batch.bytes, now.bytes) == (0, large + 5)

    async def test_several_items_are_settled_together(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a", "b", "c", seconds=SHORT_S)
        first, late = await taken(clerk, "a"), Outcome(Standing.SKIPPED, code="late")
        settle = clerk.catalog.errands.settle_all
        await settle(batch.id, {1: first, 2: REFUSED}, seconds=SHORT_S)
        await settle(batch.id, {2: late}, seconds=LONG_S)
        await asyncio.sleep(2 * SHORT_S)

        now = await clerk.catalog.batches.get(batch.id)

        lines = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert [(one.status, one.document_id, one.code) for one in lines] == [
            ("queued", first.document_id, None),
            ("refused", None, REFUSED.code),
            ("waiting", None, None),
        ]
        assert now.status == "running"

    async def test_an_errand_is_its_item_as_it_was_given(self, clerk: Clerk) -> None:
        plan = {"max_pages": 3}
        batch = await clerk.catalog.batches.create(
            clerk.uid, Kind.WEBSITE, [ITEM], plan=plan, seconds=LONG_S
        )

        errand = await clerk.catalog.errands.take("a", seconds=LONG_S)

        assert errand is not None
        assert (errand.batch.id, errand.batch.plan, errand.number) == (batch.id, plan, 1)
        assert errand.item == ITEM

    async def test_a_batch_is_one_runners_while_its_claim_lasts(self, clerk: Clerk) -> None:
        await batch_of(clerk, Kind.MANIFEST, "a", "b")

        first = await clerk.catalog.errands.take("a", seconds=LONG_S)
        second = await clerk.catalog.errands.take("b", seconds=LONG_S)

        assert (first and first.number, second) == (1, None)

    async def test_a_batch_is_free_when_its_claim_has_ended(self, clerk: Clerk) -> None:
        await batch_of(clerk, Kind.MANIFEST, "a", "b")
        first = await clerk.catalog.errands.take("a", seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        again = await clerk.catalog.errands.take("b", seconds=LONG_S)

        assert (first and first.number, again and again.number) == (1, 1)

    async def test_a_runner_that_stops_gives_its_batch_back_at_once(self, clerk: Clerk) -> None:
        await batch_of(clerk, Kind.MANIFEST, "a")
        await clerk.catalog.errands.take("a", seconds=LONG_S)
        await clerk.catalog.errands.release("b")
        held = await clerk.catalog.errands.take("b", seconds=LONG_S)
        await clerk.catalog.errands.release("a")

        again = await clerk.catalog.errands.take("b", seconds=LONG_S)

        assert (held, again and again.number) == (None, 1)

    async def test_items_come_in_order_and_once(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.MANIFEST, "a", "b")
        order = []
        while errand := await clerk.catalog.errands.take("a", seconds=LONG_S):
            order.append(errand.item.source_id)
            await clerk.catalog.errands.settle(batch.id, errand.number, Ending(REFUSED))
            await asyncio.sleep(SHORT_S)

        assert order == ["a", "b"]
        assert (await clerk.catalog.batches.get(batch.id)).status == "ended"

    async def test_what_is_found_is_added_once_and_up_to_the_most(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.WEBSITE, "a")
        found = [Item(name, name, 1) for name in ("b", "a", "b", "c", "d")]

        await clerk.catalog.errands.settle(batch.id, 1, Ending(REFUSED, found), most=3)

        lines = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert [(one.number, one.source_id) for one in lines] == [(1, "a"), (2, "b"), (3, "c")]

    async def test_what_was_settled_stays_so(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.WEBSITE, "a")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(REFUSED))

        late = Outcome(Standing.SKIPPED, code="late")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(late, [Item("b")]), most=9)

        (line,) = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)
        assert (line.status, line.code) == ("refused", REFUSED.code)

    async def test_a_deleted_workspace_has_no_errands_and_then_no_batches(
        self, clerk: Clerk
    ) -> None:
        batch = await batch_of(clerk, Kind.WEBSITE, "a")
        uid = await clerk.catalog.deletions.workspace(clerk.name)
        errand = await clerk.catalog.errands.take("a", seconds=LONG_S)
        await clerk.catalog.deletions.erase(uid)

        assert errand is None
        with pytest.raises(NotFound):
            await clerk.catalog.batches.get(batch.id)
