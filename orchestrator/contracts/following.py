"""What a catalog's `Log` promises to those who follow it."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import random

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.specimens import member
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import Scope
from orchestrator.indexing.roster import Roster
from orchestrator.ports.catalog import Catalog


class FollowingContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_nothing_has_changed_since_the_newest_revision(self, clerk: Clerk) -> None:
        await clerk.keep("One.")

        delta = await clerk.since(1)

        assert (delta.revision, list(delta.rows), list(delta.documents)) == (1, [], [])

    async def test_only_what_was_touched_since_is_told(self, clerk: Clerk) -> None:
        await clerk.keep("One.", source_id="a")
        second = await clerk.keep("Two.", source_id="b")

        delta = await clerk.since(1)

        assert delta.revision == 2
        assert [row.document_id for row in delta.rows] == [second.id]
        assert [rights.document_id for rights in delta.documents] == [second.id]

    async def test_a_superseded_chunk_is_told_again(self, clerk: Clerk) -> None:
        await clerk.keep("old")
        (first,) = await clerk.chunk_ids()
        after = (await clerk.keep("new")).revision

        delta = await clerk.since(1)

        (second,) = await clerk.chunk_ids()
        told = [(row.chunk_id, row.removed) for row in delta.rows]
        assert told == [(first, after), (second, None)]

    async def test_a_deletion_is_told_as_rights_that_nobody_has(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("One.")
        await catalog.deletions.document(document.id)

        since, whole = await clerk.since(1), await clerk.since(0)

        told = [(one.document_id, one.deleted) for one in since.documents]
        assert told == [(document.id, True)]
        assert (list(since.rows), list(whole.rows), list(whole.documents)) == ([], [], [])

    async def test_changes_of_other_workspaces_are_not_told(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        await other.keep("Two.")
        await clerk.keep("One.")

        delta = await clerk.since(0)

        assert delta.revision == 1
        assert {row.document_id for row in delta.rows} == {
            rights.document_id for rights in delta.documents
        }
        assert len(delta.rows) == 1

    async def test_chunk_ids_ascend_and_are_never_used_again(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        used: list[int] = []
        for _ in range(4):
            document = await clerk.keep("One.", "Two.", source_id="a")
            fresh = await clerk.chunk_ids()
            assert fresh == sorted(fresh)
            assert min(fresh) > max(used, default=0)
            used += fresh
            await catalog.deletions.document(document.id)

        assert len(set(used)) == 8

    @pytest.mark.parametrize("seed", range(4))
    async def test_following_the_log_leads_where_reading_all_of_it_does(
        self, catalog: Catalog, clerk: Clerk, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311  # the same changes in every run
        follower = Roster(1)
        for step in range(25):
            await change(clerk, chance, step)
            if chance.random() < 0.6:
                follower.apply(await clerk.since(follower.revision))
        follower.apply(await clerk.since(follower.revision))
        reader = Roster(1)
        reader.apply(await clerk.since(0))

        assert follower.revision == reader.revision
        for groups in (("legal",), ("board",), ("everyone",), ("legal", "everyone")):
            for filters in (None, Condition("year", "eq", 2026)):
                scope = Scope(clerk.uid, member(*groups), filters, reader.revision)
                seen = follower.select(scope).ids.tolist()
                assert seen == reader.select(scope).ids.tolist()


async def change(clerk: Clerk, chance: random.Random, step: int) -> None:
    """Publish a document or its next version, change its rights, or delete it."""
    source_id = chance.choice("abcd")
    acl = chance.choice([{"legal"}, {"everyone"}, {"legal", "board"}])
    metadata = {"year": chance.choice([2025, 2026])}
    known = await clerk.find(source_id)
    match chance.choice(["keep", "keep", "grant", "delete"]):
        case "delete" if known:
            await clerk.catalog.deletions.document(known.id)
        case "grant" if known:
            text = f"{source_id} for good"
            await clerk.keep(text, source_id=source_id)
            await clerk.keep(text, source_id=source_id, acl=acl, metadata=metadata)
        case _:
            texts = [f"{step}.{part}" for part in range(chance.randint(0, 3))]
            await clerk.keep(*texts, f"{step}", source_id=source_id, acl=acl, metadata=metadata)
