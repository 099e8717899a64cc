"""What holds for every index of what a searcher may see, whatever it is searched by."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import random
from typing import Any

import pytest

from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.contracts.searching import BEST, POOR, AnyIndex, Content, OpenIndex, found
from orchestrator.domain.filters import Condition


class VisibilityPromises(OpenIndex):
    """Needs `store`, an empty `IndexStore`, `key`, `question` and `content`, graded by it."""

    @pytest.mark.parametrize("others", [1, 8, 200])
    async def test_a_scope_that_sees_only_poor_matches_gets_as_many_as_it_asks_for(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any, others: int
    ) -> None:
        good = ledger.publish(others, acl={"board"})
        poor = ledger.publish(8, acl={"staff"})
        contents = [content(BEST)] * others + [content(POOR)] * 8
        await index.apply(ids_of([*good, *poor]), contents, remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope("staff"), limit=5)

        assert len(set(found(hits)) & set(poor)) == len(hits) == 5

    async def test_filters_apply_before_the_best_are_chosen(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ledger.publish(50, metadata={"year": 2025})
        poor = ledger.publish(5, metadata={"year": 2026})
        contents = [content(BEST)] * 50 + [content(POOR)] * 5
        await index.apply(ids_of(range(1, 56)), contents, remove=NOTHING)

        scope = ledger.scope(filters=Condition("year", "gte", 2026))
        hits = await index.search(question, scope=scope, limit=5)

        assert sorted(found(hits)) == poor

    async def test_the_revision_applies_before_the_best_are_chosen(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        poor = ledger.publish(5)
        pinned = ledger.revision
        ledger.publish(50)
        contents = [content(POOR)] * 5 + [content(BEST)] * 50
        await index.apply(ids_of(range(1, 56)), contents, remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(revision=pinned), limit=5)

        assert sorted(found(hits)) == poor

    async def test_a_chunk_is_visible_from_the_revision_that_added_it(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ledger.publish(1)
        new = ledger.publish(1)
        await index.apply(ids_of(new), [content(BEST)], remove=NOTHING)

        before = await index.search(question, scope=ledger.scope(revision=1), limit=5)
        since = await index.search(question, scope=ledger.scope(revision=2), limit=5)

        assert (found(before), found(since)) == ([], new)

    async def test_a_chunk_is_visible_until_before_the_revision_that_removed_it(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        old = ledger.publish(1)
        await index.apply(ids_of(old), [content(BEST)], remove=NOTHING)
        ledger.supersede(old)

        before = await index.search(question, scope=ledger.scope(revision=1), limit=5)
        since = await index.search(question, scope=ledger.scope(revision=2), limit=5)

        assert (found(before), found(since)) == (old, [])

    async def test_a_deletion_hides_chunks_that_the_index_still_holds(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        (gone,) = ledger.publish(1)
        (kept,) = ledger.publish(1)
        await index.apply(ids_of([gone, kept]), [content(BEST), content(POOR)], remove=NOTHING)
        await index.search(question, scope=ledger.scope(revision=2), limit=5)

        ledger.delete(gone)
        hits = await index.search(question, scope=ledger.scope(revision=2), limit=5)

        assert found(hits) == [kept]

    async def test_a_change_of_rights_takes_effect_at_once(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        (withdrawn,) = ledger.publish(1)
        (granted,) = ledger.publish(1, acl={"board"})
        await index.apply(ids_of([withdrawn, granted]), [content(BEST)] * 2, remove=NOTHING)
        pinned = ledger.scope()
        first = await index.search(question, scope=pinned, limit=5)

        ledger.grant(withdrawn, {"board"})
        ledger.grant(granted)
        hits = await index.search(question, scope=pinned, limit=5)

        assert (found(first), found(hits)) == ([withdrawn], [granted])

    async def test_who_searched_before_sees_what_came_and_went_since(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        (going,) = ledger.publish(1)
        (hidden,) = ledger.publish(1, acl={"board"})
        stays, coming = ledger.publish(2)
        scope = ledger.scope()
        contents = [content(3), content(BEST), content(POOR)]
        await index.apply(ids_of([going, hidden, stays]), contents, remove=NOTHING)
        before = await index.search(question, scope=scope, limit=3)

        await index.apply(NOTHING, (), remove=ids_of([going]))
        between = await index.search(question, scope=scope, limit=3)
        await index.apply(ids_of([coming]), [content(BEST)], remove=NOTHING)
        after = await index.search(question, scope=scope, limit=3)

        assert found(before) == [going, stays]
        assert found(between) == [stays]
        assert found(after) == [coming, stays]

    async def test_who_may_see_nothing_finds_nothing(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(3, acl={"board"})
        await index.apply(ids_of(ids), [content(BEST)] * 3, remove=NOTHING)

        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == []

    async def test_a_chunk_that_nobody_was_told_of_is_not_found(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        (known,) = ledger.publish(1)
        await index.apply(ids_of([known, known + 1]), [content(BEST)] * 2, remove=NOTHING)

        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == [known]

    async def test_a_chunk_that_has_not_arrived_yet_is_left_out(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        here, _coming = ledger.publish(2)
        await index.apply(ids_of([here]), [content(BEST)], remove=NOTHING)

        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == [here]

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
    async def test_whatever_the_share_that_is_visible_exactly_that_is_found(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any, share: float
    ) -> None:
        chance = random.Random(7)  # noqa: S311  # the same chunks in every run
        visible = []
        for _ in range(300):
            seen = chance.random() < share
            ids = ledger.publish(1, acl={"staff"} if seen else {"board"})
            visible += ids if seen else []
        contents = [content(2 + chunk_id % 3) for chunk_id in range(1, 301)]
        await index.apply(ids_of(range(1, 301)), contents, remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope("staff"), limit=300)

        assert sorted(found(hits)) == visible
        assert [hit.chunk_id % 3 for hit in hits] == sorted(
            (chunk_id % 3 for chunk_id in visible), reverse=True
        )
