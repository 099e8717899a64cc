"""The promises of a catalog's `Batches`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.batches import Batch, Ending, Item, Kind, Outcome, Standing
from orchestrator.domain.errors import NotFound

LONG_S = 60.0
SHORT_S = 0.02
REFUSED = Outcome(Standing.REFUSED, code="unsupported_content", reason="it is a picture")


async def batch_of(clerk: Clerk, kind: Kind, *names: str, seconds: float = LONG_S) -> Batch:
    """A batch with items of these names."""
    items = [Item(name, name) for name in names]
    return await clerk.catalog.batches.create(
        clerk.uid, kind, items, plan={"start": names[0]}, seconds=seconds
    )


async def taken(clerk: Clerk, source_id: str) -> Outcome:
    """The outcome of an item that became a document."""
    document = (await clerk.hand_in(source_id, source_id=source_id)).document
    return Outcome(Standing.TAKEN, document_id=document.id)


class BatchesContract:
    """Needs the fixtures `catalog` and `clerk`, of a workspace in it that has no documents."""

    async def test_a_batch_counts_its_items_as_they_come_to_an_end(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a", "b", "c")
        errands = clerk.catalog.errands
        await errands.settle(batch.id, 1, Ending(await taken(clerk, "a")), seconds=LONG_S)
        await errands.settle(batch.id, 2, Ending(REFUSED), seconds=LONG_S)

        now = await clerk.catalog.batches.get(batch.id)

        assert (now.status, now.total) == ("running", 3)
        assert now.counts == {"queued": 1, "refused": 1, "waiting": 1}

    async def test_a_batch_ends_when_all_of_its_documents_do(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(await taken(clerk, "a")))
        before = await clerk.catalog.batches.get(batch.id)
        await clerk.publish("a")

        now = await clerk.catalog.batches.get(batch.id)

        assert (before.status, now.status, now.counts) == ("running", "ended", {"indexed": 1})

    async def test_the_line_of_a_document_that_failed_says_why(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(await taken(clerk, "a")))
        await clerk.queue.fail(await clerk.claim(), "the file is damaged", "broken_file")

        (line,) = await clerk.catalog.batches.lines(batch.id, after=0, limit=9)

        assert (line.status, line.code, line.reason) == (
            "failed",
            "broken_file",
            "the file is damaged",
        )

    async def test_lines_say_what_became_of_each_page_by_page(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a", "b", "c")
        outcome = await taken(clerk, "a")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(outcome))
        await clerk.catalog.errands.settle(batch.id, 2, Ending(REFUSED))
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

    async def test_files_of_which_none_waits_are_not_interrupted(self, clerk: Clerk) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a", "b", seconds=SHORT_S)
        await clerk.catalog.errands.settle_all(batch.id, {1: REFUSED}, seconds=SHORT_S)
        await clerk.catalog.errands.settle_all(batch.id, {2: REFUSED}, seconds=SHORT_S)
        await asyncio.sleep(2 * SHORT_S)

        assert (await clerk.catalog.batches.get(batch.id)).status == "ended"

    async def test_files_whose_request_died_are_interrupted_and_no_errand(
        self, clerk: Clerk
    ) -> None:
        batch = await batch_of(clerk, Kind.FILES, "a", "b", "c")
        await clerk.catalog.errands.settle(batch.id, 1, Ending(REFUSED), seconds=LONG_S)
        held = await clerk.catalog.batches.get(batch.id)
        await clerk.catalog.errands.settle(batch.id, 2, Ending(REFUSED), seconds=SHORT_S)
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
            await batch_of(clerk, Kind.MANIFEST, "a")
