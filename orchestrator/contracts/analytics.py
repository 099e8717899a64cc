"""The promises of a catalog's `Analytics`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.analytics import Counted, Kind
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ports.catalog import Catalog

TODAY = date(2026, 3, 1)
MANY = 100


class AnalyticsContract:
    """Needs the fixtures `catalog`, `another` and `clerk`."""

    def of(self, clerk: Clerk, kind: Kind, name: str, day: date = TODAY) -> Counted:
        """A count of the clerk's workspace."""
        return Counted(clerk.uid, day, kind, name)

    async def test_counts_of_two_processes_add_up(self, clerk: Clerk, another: Catalog) -> None:
        counts = {
            self.of(clerk, "outcome", "weak"): 2,
            self.of(clerk, "weak", "how tall?"): 1,
            self.of(clerk, "stage", "embed:7"): 3,
        }
        both = (clerk.catalog, another) * 5
        await asyncio.gather(*(one.analytics.add(counts, texts=MANY) for one in both))

        assert list(await clerk.catalog.analytics.since(clerk.uid, TODAY)) == [
            ("outcome", "weak", 20),
            ("stage", "embed:7", 30),
            ("weak", "how tall?", 10),
        ]

    async def test_days_add_up_from_the_one_that_is_asked_for(self, clerk: Clerk) -> None:
        for ago, number in enumerate((1, 10, 100)):
            counted = self.of(clerk, "outcome", "found", TODAY - timedelta(days=ago))
            await clerk.catalog.analytics.add({counted: number}, texts=MANY)

        yesterday = await clerk.catalog.analytics.since(clerk.uid, TODAY - timedelta(days=1))
        assert list(yesterday) == [("outcome", "found", 11)]

    async def test_workspaces_are_counted_apart(self, clerk: Clerk) -> None:
        other = await clerk.catalog.workspaces.create("apart", WorkspaceConfig())
        await clerk.catalog.analytics.add(
            {
                self.of(clerk, "outcome", "found"): 1,
                Counted(other.uid, TODAY, "outcome", "none"): 2,
            },
            texts=MANY,
        )

        assert list(await clerk.catalog.analytics.since(other.uid, TODAY)) == [
            ("outcome", "none", 2)
        ]

    async def test_a_day_has_so_many_texts_of_a_kind_and_known_ones_go_on(
        self, clerk: Clerk
    ) -> None:
        for names in ("ab", "bcd", "xyz"):
            counts = {self.of(clerk, "none", name): 1 for name in names}
            await clerk.catalog.analytics.add(counts, texts=3)
        another_kind = {self.of(clerk, "weak", "w"): 1, self.of(clerk, "outcome", "none"): 8}
        await clerk.catalog.analytics.add(another_kind, texts=3)

        found = await clerk.catalog.analytics.since(clerk.uid, TODAY)
        assert [(kind, name, n) for kind, name, n in found if kind == "none"] == [
            ("none", "a", 1),
            ("none", "b", 2),
            ("none", "c", 1),
        ]
        assert {("weak", "w", 1), ("outcome", "none", 8)} <= set(found)

    async def test_what_was_counted_before_a_day_is_forgotten(self, clerk: Clerk) -> None:
        for ago in (0, 1, 2):
            counted = self.of(clerk, "none", f"{ago} days ago", TODAY - timedelta(days=ago))
            await clerk.catalog.analytics.add({counted: 1}, texts=MANY)
        await clerk.catalog.analytics.forget(TODAY - timedelta(days=1))

        names = [n for _, n, _ in await clerk.catalog.analytics.since(clerk.uid, date.min)]
        assert names == ["0 days ago", "1 days ago"]

    async def test_nothing_is_counted_of_a_workspace_that_is_gone(self, clerk: Clerk) -> None:
        counts = {self.of(clerk, "none", "a secret"): 1}
        await clerk.catalog.analytics.add(counts, texts=MANY)
        gone = await clerk.catalog.deletions.workspace(clerk.name)
        await clerk.catalog.analytics.add(counts, texts=MANY)
        await clerk.catalog.deletions.erase(gone)
        await clerk.catalog.analytics.add(counts, texts=MANY)

        assert list(await clerk.catalog.analytics.since(clerk.uid, date.min)) == []

    async def test_any_text_of_a_question_is_counted(self, clerk: Clerk) -> None:
        counts = {self.of(clerk, "none", "ß'\"%_\\ 🦊 " + "語" * 491): 1}
        await clerk.catalog.analytics.add(counts, texts=MANY)
        await clerk.catalog.analytics.add(counts, texts=MANY)

        ((_, name, count),) = await clerk.catalog.analytics.since(clerk.uid, TODAY)
        assert (len(name), count) == (500, 2)
