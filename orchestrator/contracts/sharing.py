"""What holds for every index that a server keeps for all processes, whatever it is searched by."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.contracts.ledger import NOTHING, WORKSPACE, Ledger, ids_of
from orchestrator.contracts.searching import BEST, AnyStore, Content, found
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.health import Pingable
from orchestrator.ports.indexes import IndexKey

OTHER = "fedcba9876543210"


class SharingPromises:
    """Needs `store` and `another`, a store of the same server, as another process would open it.

    And `absent`, a store whose server does not answer, beside `key`, `question` and `content`.
    The ids of two indexes differ, as those of a catalog do.
    """

    @pytest.fixture
    def ledger(self) -> Ledger:
        return Ledger()

    async def fill(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> list[int]:
        ids = ledger.publish(3)
        async with store.open(key, ledger.roster, persist=True) as index:
            await index.held()
            contents = [content(grade) for grade in (4, 3, 2)]
            await index.apply(ids_of(ids), contents, remove=NOTHING)
            await index.save()
        return ids

    async def stored(self, store: AnyStore, key: IndexKey, ledger: Ledger) -> list[int]:
        async with store.open(key, ledger.roster, persist=False) as index:
            held: list[int] = (await index.held()).tolist()
            return held

    async def test_it_is_shared(self, store: AnyStore) -> None:
        assert store.shared

    async def test_what_one_process_applied_another_finds(
        self,
        store: AnyStore,
        another: AnyStore,
        key: IndexKey,
        ledger: Ledger,
        content: Content,
        question: Any,
    ) -> None:
        ids = await self.fill(store, key, ledger, content)

        async with another.open(key, ledger.roster, persist=False) as index:
            assert (await index.held()).tolist() == ids
            assert found(await index.search(question, scope=ledger.scope(), limit=3)) == ids

    async def test_without_the_lease_nothing_is_applied_and_what_others_apply_is_found(
        self,
        store: AnyStore,
        another: AnyStore,
        key: IndexKey,
        ledger: Ledger,
        content: Content,
        question: Any,
    ) -> None:
        one, two, three = await self.fill(store, key, ledger, content)
        (late,) = ledger.publish(1)
        async with (
            store.open(key, ledger.roster, persist=True) as writer,
            another.open(key, ledger.roster, persist=False) as reader,
        ):
            await writer.held()
            await reader.held()
            await reader.apply(ids_of([late]), [content(BEST)], remove=ids_of([two]))
            await reader.save()

            assert (await writer.held()).tolist() == [one, two, three]

            await writer.apply(ids_of([late]), [content(1)], remove=ids_of([one]))

            assert (await reader.held()).tolist() == [two, three, late]
            hits = await reader.search(question, scope=ledger.scope(), limit=4)
            assert found(hits) == [two, three, late]

    async def test_without_the_lease_nothing_is_made(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        ids = ledger.publish(2)
        async with store.open(key, ledger.roster, persist=False) as index:
            assert (await index.held()).tolist() == []
            await index.apply(ids_of(ids), [content(BEST)] * 2, remove=NOTHING)
            await index.save()

        assert await self.stored(store, key, ledger) == []

    async def test_generations_and_workspaces_are_kept_apart(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        keys = [key, replace(key, generation=key.generation + 1), replace(key, workspace=OTHER)]
        filled = [await self.fill(store, one, ledger, content) for one in keys]

        assert [await self.stored(store, one, ledger) for one in keys] == filled

    async def test_pruning_erases_what_is_not_open_and_leaves_what_is(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        former = replace(key, generation=key.generation + 1)
        other = replace(key, workspace=OTHER)
        ids, _, others = [
            await self.fill(store, one, ledger, content) for one in (key, former, other)
        ]
        async with store.open(key, ledger.roster, persist=True):
            await store.prune(key.workspace)
            await store.prune(key.workspace)

        assert await self.stored(store, key, ledger) == ids
        assert await self.stored(store, former, ledger) == []
        assert await self.stored(store, other, ledger) == others

    async def test_dropping_a_workspace_leaves_the_others(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        other = replace(key, workspace=OTHER)
        await self.fill(store, key, ledger, content)
        ids = await self.fill(store, other, ledger, content)

        await store.drop(WORKSPACE)

        assert await self.stored(store, key, ledger) == []
        assert await self.stored(store, other, ledger) == ids

    async def test_what_was_dropped_while_it_was_open_is_made_again(
        self,
        store: AnyStore,
        another: AnyStore,
        key: IndexKey,
        ledger: Ledger,
        content: Content,
        question: Any,
    ) -> None:
        ids = await self.fill(store, key, ledger, content)
        async with store.open(key, ledger.roster, persist=True) as index:
            await index.held()
            await another.drop(key.workspace)

            assert (await index.held()).tolist() == []
            await index.apply(ids_of(ids), [content(4), content(3), content(2)], remove=NOTHING)
            assert found(await index.search(question, scope=ledger.scope(), limit=3)) == ids

    async def test_a_server_that_does_not_answer_is_unavailable_and_opens_nevertheless(
        self, absent: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = ledger.publish(1)
        async with absent.open(key, ledger.roster, persist=True) as index:
            with pytest.raises(Unavailable):
                await index.held()
            with pytest.raises(Unavailable):
                await index.apply(ids_of(ids), [content(BEST)], remove=NOTHING)
        with pytest.raises(Unavailable):
            await absent.prune(key.workspace)
        assert isinstance(absent, Pingable)
        with pytest.raises(Unavailable):
            await absent.ping()
