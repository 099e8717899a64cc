"""The promises of a catalog's `Documents` about which are listed, and which are alike."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.specimens import member
from orchestrator.domain.documents import Status
from orchestrator.domain.filters import Condition, Not
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.ports.catalog import Catalog, Wanted

MANY = 210
TEXT = (
    "Refunds are paid within seven days of the purchase to the payment method that was used. "
    "A customer who returns goods that were opened gets half of the price, unless they were "
    "damaged when they came. Shipping is never refunded, and neither are gift cards, which can "
    "be passed on to anybody. Whoever wants the money in another currency pays for the exchange."
)
EDITED = TEXT.replace("seven", "nine")
OTHER = (
    "Hotels are reimbursed up to 140 EUR a night, and receipts are due within thirty days of the "
    "journey. Trains are booked in the second class below four hours, in the first class above."
)


async def listed(catalog: Catalog, clerk: Clerk, wanted: Wanted, limit: int = 9) -> list[str]:
    """The source ids of every page, in the order of the pages."""
    found: list[str] = []
    after = None
    while page := await catalog.documents.list(
        clerk.uid, principal=ANONYMOUS, after=after, limit=limit, wanted=wanted
    ):
        assert len(page) <= limit
        found += [document.source_id for document in page]
        after = page[-1].id
    return found


class ListingContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_documents_are_listed_in_pages_by_id(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        made = [(await clerk.hand_in(source_id=f"{n}.txt")).document.id for n in range(5)]
        ids = sorted(made)

        pages, after = [], None
        while page := await catalog.documents.list(
            clerk.uid, principal=ANONYMOUS, after=after, limit=2
        ):
            pages.append([document.id for document in page])
            after = page[-1].id

        assert pages == [ids[:2], ids[2:4], ids[4:]]

    async def test_a_page_is_full_of_what_the_principal_may_see(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for number in range(6):
            await clerk.hand_in(source_id=f"secret {number}", acl={"board"})
        seen = [
            (await clerk.hand_in(source_id=f"{n}.txt", acl={"legal", "x"})).document.id
            for n in range(3)
        ]

        page = await catalog.documents.list(
            clerk.uid, principal=member("legal", "y"), after=None, limit=3
        )

        assert [document.id for document in page] == sorted(seen)

    async def test_what_is_deleted_or_elsewhere_is_not_listed(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        await other.hand_in()
        gone = await clerk.hand_in(source_id="gone.txt")
        kept = await clerk.hand_in(source_id="kept.txt")
        await catalog.deletions.document(gone.document.id)

        page = await catalog.documents.list(clerk.uid, principal=ANONYMOUS, after=None, limit=9)

        assert list(page) == [kept.document]

    async def test_a_list_holds_only_documents_of_the_status_wanted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("One.", source_id="indexed")
        await clerk.hand_in("Two.", source_id="failed")
        await clerk.queue.fail(await clerk.claim(), "the file is damaged", "broken_file")
        worked = (await clerk.hand_in("Three.", source_id="processing")).document
        await catalog.documents.work(worked.id, 1)
        await clerk.hand_in("Four.", source_id="queued")

        for status in (Status.INDEXED, Status.FAILED, Status.PROCESSING, Status.QUEUED):
            assert await listed(catalog, clerk, Wanted(status=status)) == [status.value]

    async def test_a_list_holds_only_source_ids_that_begin_as_wanted(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for name in ("a_b/1", "a_b/2", "A_b/3", "axb/4", "%"):
            await clerk.hand_in(name, source_id=name)

        assert sorted(await listed(catalog, clerk, Wanted(source_prefix="a_b/"))) == [
            "a_b/1",
            "a_b/2",
        ]
        assert await listed(catalog, clerk, Wanted(source_prefix="%")) == ["%"]

    async def test_a_list_holds_only_documents_whose_metadata_match(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for year in range(2020, 2027):
            await clerk.hand_in(f"{year}", source_id=f"{year}", metadata={"year": year})
        recent = Condition("year", "gte", 2024)

        assert sorted(await listed(catalog, clerk, Wanted(filters=recent), limit=2)) == [
            "2024",
            "2025",
            "2026",
        ]
        assert len(await listed(catalog, clerk, Wanted(filters=Not(recent)), limit=3)) == 4

    async def test_what_is_wanted_is_found_behind_many_that_are_not(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        for number in range(MANY):
            await clerk.hand_in(f"{number}", source_id=f"{number}")
        await clerk.hand_in(source_id="rare", metadata={"rare": True}, document_id="z" * 32)

        wanted = Wanted(filters=Condition("rare", "eq", True))  # it is the value

        assert await listed(catalog, clerk, wanted) == ["rare"]

    async def test_conditions_add_up(self, catalog: Catalog, clerk: Clerk) -> None:
        for name, year in (("a/1", 2025), ("a/2", 2026), ("b/3", 2026)):
            await clerk.hand_in(name, source_id=name, metadata={"year": year})

        wanted = Wanted(Status.QUEUED, "a/", Condition("year", "eq", 2026))

        assert await listed(catalog, clerk, wanted) == ["a/2"]

    async def test_texts_that_are_nearly_the_same_are_alike(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await clerk.keep(TEXT, source_id="one", title="One")
        two = await clerk.keep(EDITED, source_id="two", title="Two")
        same = await clerk.keep(TEXT, source_id="three", title="Three")
        other = await clerk.keep(OTHER, source_id="four", title="Four")

        assert await self.alike(catalog, one.id) == [same.id, two.id]
        assert sorted(await self.alike(catalog, two.id)) == sorted([one.id, same.id])
        assert await self.alike(catalog, other.id) == []

    async def test_a_document_that_was_not_indexed_is_like_none(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep(TEXT, source_id="one")
        waits = (await clerk.hand_in(TEXT, source_id="two")).document

        assert await self.alike(catalog, waits.id) == []
        assert await self.alike(catalog, "0" * 32) == []

    @pytest.mark.parametrize("how", ["deleted", "changed", "hidden", "elsewhere"])
    async def test_what_is_gone_hidden_or_elsewhere_is_not_alike(
        self, catalog: Catalog, clerk: Clerk, how: str
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        place = other if how == "elsewhere" else clerk
        one = await clerk.keep(TEXT, source_id="one")
        groups = {"board"} if how == "hidden" else {"everyone"}
        two = await place.keep(TEXT, source_id="two", acl=groups)
        match how:
            case "deleted":
                await catalog.deletions.document(two.id)
            case "changed":
                await clerk.keep(OTHER, source_id="two")

        assert await self.alike(catalog, one.id) == []

    async def test_who_may_see_both_is_told_that_they_are_alike(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await clerk.keep(TEXT, source_id="one")
        two = await clerk.keep(TEXT, source_id="two", acl={"board"})

        alike = await catalog.documents.alike(one.id, principal=member("board"), limit=9)

        assert list(alike) == [two.id]

    async def test_of_many_that_are_alike_only_so_many_are_told(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        made = [(await clerk.keep(TEXT, source_id=f"{number}")).id for number in range(5)]

        alike = await catalog.documents.alike(made[0], principal=ANONYMOUS, limit=3)

        assert len(alike) == 3
        assert set(alike) < set(made[1:])

    async def alike(self, catalog: Catalog, document_id: str) -> list[str]:
        return list(await catalog.documents.alike(document_id, principal=ANONYMOUS, limit=9))
