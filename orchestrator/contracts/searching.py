"""What holds for every index, whatever it is searched by: what it keeps, finds, and ranks first."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeAlias

import pytest

from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.domain.passages import Hit
from orchestrator.ports.indexes import Index, IndexKey, IndexStore

AnyIndex: TypeAlias = Index[Any, Any]
AnyStore: TypeAlias = IndexStore[AnyIndex]
Content: TypeAlias = Callable[[int], Any]
"""What an index holds of a chunk, by how well it answers the question: from 4 down to 1."""

BEST, POOR = 4, 2


def found(hits: Iterable[Hit]) -> list[int]:
    """The chunks that were found, in order."""
    return [hit.chunk_id for hit in hits]


class OpenIndex:
    """Gives a suite `index`, a new one of the fixtures `store` and `key`, and its `ledger`."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        return Ledger()

    @pytest.fixture
    async def index(
        self, store: AnyStore, key: IndexKey, ledger: Ledger
    ) -> AsyncIterator[AnyIndex]:
        async with store.open(key, ledger.roster, persist=True) as opened:
            yield opened


class SearchPromises(OpenIndex):
    """Needs `store`, an empty `IndexStore`, `key`, `question` and `content`, graded by it."""

    async def test_a_new_index_is_empty(self, index: AnyIndex) -> None:
        held = await index.held()

        assert held.tolist() == []

    async def test_an_empty_index_finds_nothing(
        self, index: AnyIndex, ledger: Ledger, question: Any
    ) -> None:
        ledger.publish(3)

        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == []

    async def test_the_ids_held_ascend_in_whatever_order_they_came(
        self, index: AnyIndex, content: Content
    ) -> None:
        await index.apply(ids_of([7, 3]), [content(1), content(2)], remove=NOTHING)
        await index.apply(ids_of([5, 1]), [content(3), content(4)], remove=NOTHING)

        assert (await index.held()).tolist() == [1, 3, 5, 7]

    async def test_contents_belong_to_their_ids_in_whatever_order_they_came(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        one, two, three = ledger.publish(3)
        contents = [content(2), content(4), content(3)]
        await index.apply(ids_of([three, one, two]), contents, remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(), limit=3)

        assert found(hits) == [one, two, three]

    async def test_adding_an_id_twice_is_adding_it_once(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(2)
        for _ in range(2):
            await index.apply(ids_of(ids), [content(4), content(3)], remove=NOTHING)

        assert (await index.held()).tolist() == ids
        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == ids

    async def test_removing_an_id_that_is_not_held_does_nothing(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(2)
        await index.apply(ids_of(ids), [content(4), content(3)], remove=NOTHING)
        await index.apply(NOTHING, (), remove=ids_of([1000]))

        assert (await index.held()).tolist() == ids
        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == ids

    async def test_what_was_removed_is_neither_held_nor_found(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        one, two, three = ledger.publish(3)
        await index.apply(ids_of([one, two, three]), [content(4)] * 3, remove=NOTHING)
        await index.apply(NOTHING, (), remove=ids_of([two]))

        assert (await index.held()).tolist() == [one, three]
        hits = await index.search(question, scope=ledger.scope(), limit=5)
        assert sorted(found(hits)) == [one, three]

    async def test_adding_and_removing_are_one_change(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        old, new = ledger.publish(2)
        await index.apply(ids_of([old]), [content(4)], remove=NOTHING)
        await index.apply(ids_of([new]), [content(4)], remove=ids_of([old]))

        assert (await index.held()).tolist() == [new]
        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == [new]

    async def test_what_was_removed_can_come_back(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(1)
        await index.apply(ids_of(ids), [content(4)], remove=NOTHING)
        await index.apply(NOTHING, (), remove=ids_of(ids))
        await index.apply(ids_of(ids), [content(4)], remove=NOTHING)

        assert found(await index.search(question, scope=ledger.scope(), limit=5)) == ids

    async def test_hits_come_best_first(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(4)
        await index.apply(ids_of(ids), [content(grade) for grade in (2, 4, 3, 4)], remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(), limit=4)

        assert {*found(hits)[:2]} == {ids[1], ids[3]}
        assert found(hits)[2:] == [ids[2], ids[0]]
        assert hits[1].score > hits[2].score > hits[3].score

    async def test_no_more_than_the_limit_are_found(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(4)
        await index.apply(ids_of(ids), [content(grade) for grade in (2, 3, 4, 4)], remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(), limit=2)

        assert sorted(found(hits)) == ids[2:]

    async def test_what_is_added_during_a_search_is_found_by_the_next(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        *old, new = ledger.publish(2001)
        contents = [content(1 + chunk_id % 2) for chunk_id in old]
        await index.apply(ids_of(old), contents, remove=NOTHING)
        scope = ledger.scope()

        await asyncio.gather(
            index.search(question, scope=scope, limit=1),
            index.apply(ids_of([new]), [content(BEST)], remove=NOTHING),
        )

        assert found(await index.search(question, scope=scope, limit=1)) == [new]

    async def test_searches_stand_beside_each_other_and_beside_changes(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        kept = ledger.publish(5)
        passing = ledger.publish(5, acl={"board"})
        scope = ledger.scope()
        await index.apply(ids_of(kept), [content(POOR)] * 5, remove=NOTHING)

        async def come_and_go() -> None:
            for _ in range(5):
                await index.apply(ids_of(passing), [content(BEST)] * 5, remove=NOTHING)
                await index.apply(NOTHING, (), remove=ids_of(passing))

        changing = asyncio.create_task(come_and_go())
        searches = await asyncio.gather(
            *(index.search(question, scope=scope, limit=5) for _ in range(20))
        )
        await changing

        assert [sorted(found(hits)) for hits in searches] == [kept] * 20

    async def test_saving_changes_nothing_that_is_found(
        self, index: AnyIndex, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(3)
        await index.apply(ids_of(ids), [content(grade) for grade in (4, 3, 2)], remove=NOTHING)

        await index.save()

        assert found(await index.search(question, scope=ledger.scope(), limit=3)) == ids

    async def test_dropping_a_workspace_that_was_never_indexed_does_nothing(
        self, store: AnyStore, key: IndexKey, ledger: Ledger
    ) -> None:
        await store.drop("fedcba9876543210")

        async with store.open(key, ledger.roster, persist=True) as index:
            assert (await index.held()).tolist() == []
