"""What holds for indexes that outlive their process, whatever they are searched by."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.contracts.searching import BEST, AnyIndex, AnyStore, Content, found
from orchestrator.ports.indexes import IndexKey


class KeepingPromises:
    """Needs `store` and the `folder` below which it writes, `key`, `question` and `content`."""

    @asynccontextmanager
    async def opened(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, *, persist: bool = True
    ) -> AsyncIterator[AnyIndex]:
        async with store.open(key, ledger.roster, persist=persist) as index:
            yield index

    async def kept(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> list[int]:
        """Three chunks in a saved index, from best to poorest; their ids."""
        ids = ledger.publish(3)
        async with self.opened(store, key, ledger) as index:
            contents = [content(grade) for grade in (4, 3, 2)]
            await index.apply(ids_of(ids), contents, remove=NOTHING)
            await index.save()
        return ids

    @pytest.fixture
    def ledger(self) -> Ledger:
        return Ledger()

    async def test_what_was_saved_is_found_when_opened_again(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = await self.kept(store, key, ledger, content)

        async with self.opened(store, key, ledger) as index:
            assert (await index.held()).tolist() == ids
            assert found(await index.search(question, scope=ledger.scope(), limit=3)) == ids

    async def test_an_opened_index_goes_on_where_it_ended(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: Any
    ) -> None:
        one, two, three = await self.kept(store, key, ledger, content)
        (four,) = ledger.publish(1)
        async with self.opened(store, key, ledger) as index:
            await index.apply(ids_of([four]), [content(3)], remove=ids_of([two]))
            await index.save()

        async with self.opened(store, key, ledger) as index:
            assert (await index.held()).tolist() == [one, three, four]
            hits = await index.search(question, scope=ledger.scope(), limit=3)
            assert found(hits) == [one, four, three]

    async def test_generations_and_workspaces_are_kept_apart(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        await self.kept(store, key, ledger, content)
        generation = IndexKey(key.workspace, key.generation + 1, key.model, key.dimension)
        workspace = IndexKey("fedcba9876543210", key.generation, key.model, key.dimension)

        for other in (generation, workspace):
            async with self.opened(store, other, ledger) as index:
                assert (await index.held()).tolist() == []

    async def test_an_index_without_the_lease_reads_what_was_saved(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: Any
    ) -> None:
        ids = await self.kept(store, key, ledger, content)

        async with self.opened(store, key, ledger, persist=False) as index:
            assert (await index.held()).tolist() in ([], ids)
            await index.apply(ids_of(ids), [content(grade) for grade in (2, 3, 4)], remove=NOTHING)
            hits = await index.search(question, scope=ledger.scope(), limit=3)
            assert found(hits) == ids[::-1]

    async def test_an_index_without_the_lease_writes_nothing(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        one, *_ = await self.kept(store, key, ledger, content)
        ids = ledger.publish(5)
        before = files(folder)

        async with self.opened(store, key, ledger, persist=False) as index:
            await index.apply(ids_of(ids), [content(BEST)] * 5, remove=ids_of([one]))
            await index.save()

        assert before
        assert files(folder) == before

    async def test_an_index_without_the_lease_creates_nothing(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        ids = ledger.publish(5)
        async with self.opened(store, key, ledger, persist=False) as index:
            await index.apply(ids_of(ids), [content(BEST)] * 5, remove=NOTHING)
            await index.save()

        assert files(folder) == {}

    async def test_an_index_without_the_lease_stands_beside_one_with_it(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: Any
    ) -> None:
        one, two, three = await self.kept(store, key, ledger, content)
        scope = ledger.scope()
        async with (
            self.opened(store, key, ledger) as writer,
            self.opened(store, key, ledger, persist=False) as reader,
        ):
            await reader.apply(
                ids_of([one, two, three]), [content(g) for g in (4, 3, 2)], remove=NOTHING
            )
            await writer.apply(NOTHING, (), remove=ids_of([one]))
            await writer.save()
            await reader.apply(NOTHING, (), remove=ids_of([three]))
            await reader.save()

            assert found(await writer.search(question, scope=scope, limit=3)) == [two, three]
            assert found(await reader.search(question, scope=scope, limit=3)) == [one, two]

        async with self.opened(store, key, ledger) as index:
            assert (await index.held()).tolist() == [two, three]

    async def test_pruning_erases_what_is_not_open_and_leaves_what_is(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        former = IndexKey(key.workspace, key.generation + 1, key.model, key.dimension)
        other = IndexKey(f"{key.workspace}0", key.generation, key.model, key.dimension)
        ids = await self.kept(store, other, ledger, content)
        kept = set(files(folder))
        await self.kept(store, former, ledger, content)
        async with self.opened(store, key, ledger) as index:
            await index.apply(ids_of(ids), [content(BEST)] * len(ids), remove=NOTHING)
            await index.save()

            await store.prune(key.workspace)
            await store.prune(key.workspace)

            assert (await index.held()).tolist() == ids
        assert not any(str(former.path) in str(path) for path in files(folder))
        assert kept < set(files(folder))
        async with self.opened(store, key, ledger) as index:
            assert (await index.held()).tolist() == ids

    async def test_pruning_a_workspace_that_was_never_stored_does_nothing(
        self, store: AnyStore, key: IndexKey, folder: Path
    ) -> None:
        await store.prune(key.workspace)

        assert files(folder) == {}

    async def test_a_dropped_workspace_leaves_nothing_behind(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        await self.kept(store, key, ledger, content)

        await store.drop(key.workspace)

        assert files(folder) == {}

    async def test_dropping_a_workspace_leaves_the_others(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        other = IndexKey(f"{key.workspace}0", key.generation, key.model, key.dimension)
        await self.kept(store, key, ledger, content)
        ids = await self.kept(store, other, ledger, content)

        await store.drop(key.workspace)

        async with self.opened(store, other, ledger) as index:
            assert (await index.held()).tolist() == ids

    @pytest.mark.parametrize("harm", ["flipped", "cut short", "emptied", "garbled", "missing"])
    async def test_whatever_file_is_damaged_the_index_lacks_what_was_in_it_and_takes_it_again(
        self,
        store: AnyStore,
        key: IndexKey,
        ledger: Ledger,
        content: Content,
        question: Any,
        folder: Path,
        harm: str,
    ) -> None:
        ids = await self.kept(store, key, ledger, content)
        intact = files(folder)
        contents = [content(grade) for grade in (4, 3, 2)]
        outcomes = {}
        for path in intact:
            _restore(folder, intact)
            _harm(folder / path, harm)
            async with self.opened(store, key, ledger) as index:
                outcomes[path] = (await index.held()).tolist()
                await index.apply(ids_of(ids), contents, remove=NOTHING)
                await index.save()
                hits = await index.search(question, scope=ledger.scope(), limit=3)
                assert found(hits) == ids, path
            async with self.opened(store, key, ledger) as index:
                assert (await index.held()).tolist() == ids, path

        assert all(set(held) <= set(ids) for held in outcomes.values()), outcomes
        assert any(held != ids for held in outcomes.values())

    async def test_a_damaged_index_can_be_opened_without_the_lease(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        ids = await self.kept(store, key, ledger, content)
        intact = files(folder)
        for path in intact:
            _restore(folder, intact)
            _harm(folder / path, "garbled")
            damaged = files(folder)
            async with self.opened(store, key, ledger, persist=False) as index:
                assert set((await index.held()).tolist()) <= set(ids), path

            assert files(folder) == damaged, path


def files(folder: Path) -> dict[Path, bytes]:
    """Every file below the folder, by its relative path."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _restore(folder: Path, files: dict[Path, bytes]) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _harm(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    match how:
        case "flipped" if data:
            path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
        case "cut short":
            path.write_bytes(data[:middle])
        case "emptied":
            path.write_bytes(b"")
        case "garbled":
            path.write_bytes(b"{}")
        case "missing":
            path.unlink()
