"""A large vector index in FAISS: lists made beside the answering process, and what they lack."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from adapters.vectors import faiss as adapter
from adapters.vectors.faiss import FaissStore, FaissVectors, Training
from adapters.vectors.memory import MemoryVectors
from orchestrator.contracts.ledger import NOTHING, Ledger, ids_of
from orchestrator.contracts.searching import found
from orchestrator.domain.filters import Condition
from orchestrator.ports.catalog import Delta, Rights, Row
from orchestrator.ports.indexes import IndexKey

DIMENSION = 24
TOPICS = 40
KEY = IndexKey("0123456789abcdef", 1, "model", DIMENSION)
PLAN = Training(exact_until=600, threads=1, niceness=0)

Opened = Callable[..., AbstractAsyncContextManager[FaissVectors]]


def clustered(count: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((TOPICS, DIMENSION))
    noise = 0.4 * generator.standard_normal((count, DIMENSION))
    vectors = centres[generator.integers(TOPICS, size=count)] + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(autouse=True)
def scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "SCANNED", 20)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def opened(tmp_path: Path, ledger: Ledger) -> Opened:
    @asynccontextmanager
    async def open_(*, persist: bool = True) -> AsyncIterator[FaissVectors]:
        async with FaissStore(tmp_path, PLAN).open(KEY, ledger.roster, persist=persist) as index:
            yield index

    return open_


def the(folder: Path, ending: str) -> Path:
    (path,) = folder.rglob(f"*{ending}")
    return path


async def recall(
    index: FaissVectors, ledger: Ledger, vectors: dict[int, np.ndarray], **scope
) -> float:
    exact = MemoryVectors(DIMENSION, ledger.roster)
    await exact.apply(ids_of(vectors), list(vectors.values()), remove=NOTHING)
    shared = wanted = 0
    for question in clustered(40, seed=99):
        best = found(await exact.search(question, scope=ledger.scope(**scope), limit=10))
        hits = await index.search(question, scope=ledger.scope(**scope), limit=10)
        assert len(hits) == len(best)
        assert [hit.score for hit in hits] == sorted((h.score for h in hits), reverse=True)
        shared += len({*found(hits)} & {*best})
        wanted += len(best)
    return shared / wanted


async def test_lists_find_what_a_scan_finds(opened, ledger, tmp_path):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()

        assert the(tmp_path, ".ivf").exists()
        assert await recall(index, ledger, vectors) >= 0.97
        assert await index.faults() == []


async def test_a_score_is_the_exact_cosine(opened, ledger):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = clustered(2000, 1)
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)
        await index.trained()
        question = clustered(1, 5)[0]

        hits = await index.search(question, scope=ledger.scope(), limit=10)

    assert [hit.score for hit in hits] == pytest.approx(
        [float(vectors[hit.chunk_id - ids[0]] @ question) for hit in hits], abs=1e-6
    )


async def test_lists_are_opened_again_and_what_came_later_is_found_with_them(opened, ledger):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()
        later = ledger.publish(100)
        vectors |= dict(zip(later, clustered(100, 2), strict=True))
        await index.apply(ids_of(later), [vectors[one] for one in later], remove=NOTHING)
        await index.save()

    for persist in (False, True):
        with capture_logs() as logs:
            async with opened(persist=persist) as index:
                assert (await index.held()).tolist() == [*ids, *later]
                assert await recall(index, ledger, vectors) >= 0.97
        assert logs == []


async def test_what_changes_while_lists_are_made_is_neither_lost_nor_kept(opened, ledger, tmp_path):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        gone, later = ids[::7], ledger.publish(50)
        await index.apply(NOTHING, (), remove=ids_of(gone))
        added = dict(zip(later, clustered(50, 3), strict=True))
        await index.apply(ids_of(later), list(added.values()), remove=NOTHING)
        assert not list(tmp_path.rglob("*.ivf"))
        await index.trained()

        left = {one: vectors[one] for one in ids if one not in set(gone)} | added
        assert (await index.held()).tolist() == sorted(left)
        assert await recall(index, ledger, left) >= 0.97
        assert await index.faults() == []

    async with opened() as index:
        assert (await index.held()).tolist() == sorted(left)


async def test_a_vector_that_was_removed_is_in_no_file_not_even_in_eight_bits(
    opened, ledger, tmp_path
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = clustered(2000, 1)
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)
        await index.trained()
        before = the(tmp_path, ".ivf").read_bytes()
        await index.apply(NOTHING, (), remove=ids_of(ids[:1]))
        await index.save()
        after = the(tmp_path, ".ivf").read_bytes()

        changed = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert 0 < len(changed) <= DIMENSION
        assert max(changed) - min(changed) < DIMENSION
        assert {after[at] for at in changed} == {0}
        assert vectors[0].tobytes() not in the(tmp_path, ".vectors").read_bytes()
        assert await index.faults() == []

    with capture_logs() as logs:
        async with opened() as index:
            assert ids[0] not in (await index.held()).tolist()
    assert logs == []


async def test_rows_without_waste_take_the_place_of_wasted_ones(opened, ledger, tmp_path):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()
        old = the(tmp_path, ".slots")
        for one in ids[:900]:
            del vectors[one]
        await index.apply(NOTHING, (), remove=ids_of(ids[:900]))
        later = ledger.publish(700)
        vectors |= dict(zip(later, clustered(700, 4), strict=True))
        await index.apply(ids_of(later), [vectors[one] for one in later], remove=NOTHING)
        await index.trained()
        await index.save()

        assert the(tmp_path, ".slots") != old
        assert the(tmp_path, ".slots").stat().st_size == 16 * len(vectors)
        assert (await index.held()).tolist() == sorted(vectors)
        assert await recall(index, ledger, vectors) >= 0.97

    async with opened() as index:
        assert (await index.held()).tolist() == sorted(vectors)
        assert await recall(index, ledger, vectors) >= 0.97


@pytest.mark.parametrize("share", [2, 10, 100])
async def test_a_filter_finds_the_best_of_what_it_lets_through(opened, ledger, share):
    async with opened() as index:
        vectors: dict[int, np.ndarray] = {}
        for number in range(100):
            ids = ledger.publish(30, metadata={"part": number % share})
            vectors |= dict(zip(ids, clustered(30, number), strict=True))
        await index.apply(ids_of(vectors), list(vectors.values()), remove=NOTHING)
        await index.trained()

        assert await recall(index, ledger, vectors, filters=Condition("part", "eq", 1)) >= 0.95


async def test_what_is_seen_of_lists_is_counted_again_only_where_it_differs(
    opened, ledger, monkeypatch
):
    counts = []
    counting = np.bincount

    def counted(*args, **kwargs):
        counts.append(counting(*args, **kwargs))
        return counts[-1]

    monkeypatch.setattr(np, "bincount", counted)
    vectors = clustered(2001, 1)
    async with opened() as index:
        ids = [*ledger.publish(1), *ledger.publish(1999)]
        await index.apply(ids_of(ids), list(vectors[:-1]), remove=NOTHING)
        await index.trained()
        await index.search(vectors[0], scope=ledger.scope(), limit=3)
        (later,) = ledger.publish(1)
        await index.apply(ids_of([later]), [vectors[-1]], remove=NOTHING)
        assert later in found(await index.search(vectors[-1], scope=ledger.scope(), limit=3))
        assert [one.sum() for one in counts] == [2000]

        ledger.delete(ids[0])
        assert ids[0] not in found(await index.search(vectors[0], scope=ledger.scope(), limit=3))

    assert [one.sum() for one in counts] == [2000, 1999]


async def test_a_damaged_list_is_noticed_and_what_was_in_it_is_still_found(
    opened, ledger, tmp_path
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()
        with the(tmp_path, ".ivf").open("r+b") as file:
            file.seek(-1000, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-1000, os.SEEK_END)
            file.write(bytes([byte ^ 1]))

        assert await index.faults() == ["1 lists are not what was written"]

    async with opened() as index:
        assert (await index.held()).tolist() == ids
        assert await recall(index, ledger, vectors) >= 0.97


@pytest.mark.parametrize("ending", [".ivf", ".sums"])
@pytest.mark.parametrize("cut", [0, 100])
async def test_without_its_lists_an_index_scans_and_makes_them_anew(
    opened, ledger, tmp_path, ending, cut
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()
    os.truncate(the(tmp_path, ending), cut)

    with capture_logs() as logs:
        async with opened() as index:
            assert await recall(index, ledger, vectors) == 1
            await index.save()
            await index.trained()
            assert await recall(index, ledger, vectors) >= 0.97
            assert the(tmp_path, ending).stat().st_size > cut
    assert [entry["event"] for entry in logs] == ["index_corrupt", "index_trained"]


async def test_training_that_is_killed_is_told_and_tried_again(
    opened, ledger, tmp_path, monkeypatch
):
    monkeypatch.setattr(adapter, "AGAIN_S", 0.0)
    async with opened() as index:
        with capture_logs() as logs:
            ids = ledger.publish(2000)
            await index.apply(ids_of(ids), list(clustered(2000, 1)), remove=NOTHING)
            for child in await training():
                os.kill(child, signal.SIGKILL)
            await index.trained()
        assert [entry["event"] for entry in logs] == ["index_training_failed"]

        await index.save()
        await index.trained()

        assert the(tmp_path, ".ivf").exists()


async def test_closing_ends_what_is_being_trained(opened, ledger, tmp_path):
    async with opened() as index:
        ids = ledger.publish(2000)
        await index.apply(ids_of(ids), list(clustered(2000, 1)), remove=NOTHING)
        await training()

    assert not trainers()
    async with opened() as index:
        assert (await index.held()).tolist() == ids


async def training() -> list[int]:
    """Processes of this one that train, once there are any."""
    while not (found := trainers()):  # noqa: ASYNC110  # another process tells nothing
        await asyncio.sleep(0.005)
    return found


def trainers() -> list[int]:
    """Processes of this one that train."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in children}
    return [one for one, name in names.items() if b"adapters.vectors.training" in name]


async def test_lists_that_take_the_place_of_others_are_seen_by_those_who_searched_before(
    opened, ledger
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = clustered(2000, 1)
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)
        await index.trained()
        later = ledger.publish(700)
        more = clustered(700, 2)
        await index.apply(ids_of(later), list(more), remove=NOTHING)
        scope = ledger.scope()
        before = found(await index.search(more[0], scope=scope, limit=10))
        await index.trained()

        for place in range(0, 700, 7):
            assert found(await index.search(more[place], scope=scope, limit=1)) == [later[place]]
        assert found(await index.search(more[0], scope=scope, limit=10)) == before


async def test_blank_slots_are_no_hits_however_far_apart_ids_lie(opened, ledger):
    async with opened() as index:
        ids = ledger.publish(3)
        far = Row(10**9, "far", 1, 2, None)
        rights = Rights("far", frozenset({"everyone"}), {}, deleted=False)
        ledger.roster.apply(Delta.of(2, [far], [rights]))
        vectors = clustered(4, 1)
        await index.apply(ids_of([*ids, 10**9]), list(vectors), remove=NOTHING)
        await index.apply(NOTHING, (), remove=ids_of(ids[:2]))

        hits = await index.search(-vectors[2], scope=ledger.scope(), limit=10)

    assert sorted(found(hits)) == [ids[2], 10**9]


@pytest.mark.parametrize("pause", [0.0, 0.4, 0.8])
async def test_what_is_removed_before_the_trainer_reads_is_not_mistaken_for_its_neighbour(
    opened, ledger, pause
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = dict(zip(ids, clustered(2000, 1), strict=True))
        await index.apply(ids_of(ids), list(vectors.values()), remove=NOTHING)
        await index.trained()
        await index.apply(NOTHING, (), remove=ids_of(ids[:900]))
        later = ledger.publish(700)
        added = dict(zip(later, clustered(700, 4), strict=True))
        await index.apply(ids_of(later), list(added.values()), remove=NOTHING)
        await asyncio.sleep(pause)
        gone = [ids[1000], ids[1100], later[5]]
        await index.apply(NOTHING, (), remove=ids_of(gone))
        again = {ids[1000]: vectors[ids[1000]]}
        await index.apply(ids_of(again), list(again.values()), remove=NOTHING)
        await index.trained()

        left = {one: vectors[one] for one in ids[900:]} | added
        del left[ids[1100]], left[later[5]]
        assert (await index.held()).tolist() == sorted(left)
        for one in left:
            (hit,) = await index.search(left[one], scope=ledger.scope(), limit=1)
            assert hit.score == pytest.approx(1, abs=1e-5)
        assert await index.faults() == []


async def test_a_wasted_index_with_few_vectors_left_is_written_anew_without_lists(
    opened, ledger, tmp_path
):
    async with opened() as index:
        ids = ledger.publish(2000)
        vectors = clustered(2000, 1)
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)
        await index.apply(NOTHING, (), remove=ids_of(ids[2:]))
        await index.trained()
        await index.save()
        await index.trained()

        assert found(await index.search(vectors[1], scope=ledger.scope(), limit=1)) == [ids[1]]
        assert the(tmp_path, ".slots").stat().st_size == 32
        assert not list(tmp_path.rglob("*.ivf"))


async def test_trainings_that_fail_leave_no_files(opened, ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(adapter, "AGAIN_S", 0.0)
    monkeypatch.setattr(adapter, "InvertedLists", broken)
    async with opened() as index:
        ids = ledger.publish(2000)
        await index.apply(ids_of(ids), list(clustered(2000, 1)), remove=NOTHING)
        for _ in range(2):
            await index.trained()
            await index.save()
        await index.trained()

        assert not list(tmp_path.rglob("lists-*"))
        assert len(await index.search(clustered(1, 9)[0], scope=ledger.scope(), limit=5)) == 5


def broken(*_, **__):
    raise ValueError("no space left")


async def test_a_vector_that_the_disk_changed_wins_no_search(opened, ledger, tmp_path):
    async with opened() as index:
        ids = ledger.publish(500)
        vectors = clustered(500, 1)
        await index.apply(ids_of(ids), list(vectors), remove=NOTHING)
        with the(tmp_path, ".vectors").open("r+b") as file:
            file.seek(7 * 4 * DIMENSION)
            file.write((np.ones(DIMENSION, np.float32) * 50).tobytes())

        with capture_logs() as logs:
            hits = await index.search(vectors[3], scope=ledger.scope(), limit=5)

    assert found(hits)[0] == ids[3]
    assert max(hit.score for hit in hits) <= 1.001
    assert [entry["event"] for entry in logs] == ["index_corrupt"]
