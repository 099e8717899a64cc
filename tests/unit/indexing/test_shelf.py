"""The lease: how long a process trusts what it read, and what happens when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.indexing.projection import PATIENCE_S, Projection
from orchestrator.indexing.shelf import AHEAD_S, LEASE_S, READER_S, Shelf
from tests.unit.fakes import FakeCatalog, FakeIndex, numbered, until, workspace


@pytest.fixture
def catalog():
    return FakeCatalog(workspace("default"))


@pytest.fixture
def gone():
    return []


@pytest.fixture
def shelf(catalog, gone):
    return Shelf(catalog, catalog.known["default"], on_gone=lambda ids: gone.extend(ids.tolist()))


def end_lease(shelf):
    shelf._read_at -= LEASE_S


def seen(shelf, revision=99):
    return shelf.roster.select(Scope("default", revision=revision)).ids.tolist()


async def test_the_first_read_is_of_the_catalog(shelf, catalog):
    ids = catalog.publish("default", "Refunds.", "Fees.")

    fresh = await shelf.fresh()

    assert (fresh, catalog.reads) == (catalog.known["default"], 1)
    assert seen(shelf) == ids


async def test_within_the_lease_the_catalog_is_not_read_again(shelf, catalog):
    await shelf.fresh()
    catalog.publish("default", "Refunds.")

    for _ in range(100):
        await shelf.fresh()

    assert catalog.reads == 1
    assert seen(shelf) == []


async def test_the_lease_lasts_a_tenth_of_a_second(shelf, catalog, clock):
    await shelf.fresh()
    clock.now += 0.09
    await shelf.fresh()
    before = catalog.reads
    clock.now += 0.02

    await shelf.fresh()

    assert LEASE_S == 0.1
    assert (before, catalog.reads) == (1, 2)


async def test_what_is_asked_for_often_is_read_before_its_lease_ends(shelf, catalog):
    await shelf.fresh()
    ids = catalog.publish("default", "Refunds.")
    shelf._read_at -= 1.5 * AHEAD_S

    for _ in range(3):
        await shelf.fresh()  # which waits for nothing
    assert seen(shelf) == []
    await until(lambda: seen(shelf) == ids)

    assert catalog.reads == 2


async def test_what_goes_wrong_then_is_told_when_the_lease_has_ended(shelf, catalog):
    await shelf.fresh()
    catalog.down = Unavailable("catalog", "disk full")
    shelf._read_at -= 1.5 * AHEAD_S

    await shelf.fresh()
    await until(lambda: catalog.reads == 2)
    end_lease(shelf)

    with pytest.raises(Unavailable, match="disk full"):
        await shelf.fresh()


async def test_a_closed_shelf_reads_no_more(shelf, catalog):
    await shelf.fresh()
    shelf._read_at -= 1.5 * AHEAD_S
    await shelf.fresh()

    await shelf.close()

    assert shelf._ahead.done()


async def test_after_the_lease_a_change_is_seen(shelf, catalog):
    await shelf.fresh()
    ids = catalog.publish("default", "Refunds.")
    end_lease(shelf)

    fresh = await shelf.fresh()

    assert fresh.revision == shelf.roster.revision == 1
    assert seen(shelf) == ids


async def test_after_the_lease_a_changed_configuration_is_seen(shelf, catalog):
    await shelf.fresh()
    catalog.configure("default", depth=7)
    end_lease(shelf)

    assert (await shelf.fresh()).config.depth == 7


async def test_after_the_lease_requests_at_the_same_time_read_once(shelf, catalog):
    await shelf.fresh()
    end_lease(shelf)

    await asyncio.gather(*(shelf.fresh() for _ in range(20)))

    assert catalog.reads == 2


async def test_the_lease_begins_before_the_catalog_is_read(shelf, catalog, clock):
    get = catalog.get

    async def slowly(name):
        found = await get(name)
        clock.now += 0.12
        return found

    catalog.get = slowly
    await shelf.fresh()

    await shelf.fresh()

    assert catalog.reads == 2


async def test_a_refresh_reads_whatever_the_lease(shelf, catalog):
    await shelf.fresh()
    ids = catalog.publish("default", "Refunds.")

    await shelf.refresh()

    assert seen(shelf) == ids


async def test_within_the_lease_a_catalog_that_is_down_is_not_missed(shelf, catalog):
    await shelf.fresh()
    catalog.down = Unavailable("catalog", "locked")

    assert await shelf.fresh() == catalog.known["default"]


async def test_after_the_lease_a_catalog_that_is_down_is_an_error(shelf, catalog):
    await shelf.fresh()
    catalog.down = Unavailable("catalog", "locked")
    end_lease(shelf)

    with pytest.raises(Unavailable):
        await shelf.fresh()


async def test_a_deletion_takes_effect_at_once_and_is_told(shelf, catalog, gone):
    first, second = catalog.publish("default", "Refunds.", "Fees.")
    await shelf.fresh()
    catalog.delete("default", first)

    await shelf.refresh()

    assert gone == [first, second]
    assert seen(shelf, revision=1) == []


async def test_a_deleted_workspace_is_not_found(shelf, catalog):
    await shelf.fresh()
    del catalog.known["default"]
    end_lease(shelf)

    with pytest.raises(NotFound):
        await shelf.fresh()


async def test_a_workspace_that_was_replaced_is_not_found(shelf, catalog):
    await shelf.fresh()
    catalog.known["default"] = workspace("default", uid="another")
    end_lease(shelf)

    with pytest.raises(NotFound, match="was replaced"):
        await shelf.fresh()


def add(shelf, *names):
    indexes = [FakeIndex() for _ in names]
    for name, index in zip(names, indexes, strict=True):
        shelf.projections[name] = Projection(index, numbered)
    return indexes


async def test_without_indexes_the_revision_is_that_of_the_roster(shelf, catalog):
    catalog.publish("default", "Refunds.")
    await shelf.refresh()

    assert shelf.revision == 1


async def test_the_revision_is_what_every_index_holds(shelf, catalog):
    fast, slow = add(shelf, "vectors", "keywords")
    catalog.publish("default", "Refunds.")
    await shelf.refresh()
    slow.gate = asyncio.Event()

    catching_up = asyncio.create_task(shelf.catch_up())
    await until(lambda: fast.ids == {1})

    assert shelf.revision == 0

    slow.gate.set()
    await catching_up

    assert (shelf.revision, slow.ids) == (1, {1})


async def test_an_index_that_is_down_is_not_waited_for_and_catches_up_when_it_is_back(
    shelf, catalog
):
    down, up = add(shelf, "vectors", "keywords")
    await shelf.catch_up()
    catalog.publish("default", "Refunds.")
    await shelf.refresh()
    down.down = Unavailable("milvus", "connection refused")

    with pytest.raises(Unavailable, match="refused"):
        await shelf.catch_up()

    assert (shelf.revision, up.ids) == (1, {1})
    with pytest.raises(Unavailable, match="everything"):
        await shelf.projections["vectors"].search("?", scope=Scope("default", revision=1), limit=1)

    down.down = None
    await shelf.catch_up()

    assert (shelf.revision, down.ids) == (1, {1})
    await shelf.projections["vectors"].search("?", scope=Scope("default", revision=1), limit=1)


async def test_an_index_that_is_down_keeps_no_other_from_being_saved(shelf, catalog):
    down, up = add(shelf, "vectors", "keywords")
    catalog.publish("default", "Refunds.")
    down.down = Unavailable("milvus", "connection refused")
    shelf._saved_at -= 60

    with pytest.raises(Unavailable):
        await shelf.follow(poll_s=0)

    assert up.saves == 1


def beside(catalog, index, *, persists):
    """One of two servers that share an index, and their catalog."""
    shelf = Shelf(catalog, catalog.known["default"], on_gone=lambda _: None, persists=persists)
    shelf.projections["vectors"] = Projection(index, numbered, shared=True, persists=persists)
    return shelf


async def test_who_does_not_persist_a_shared_index_waits_for_who_does_and_writes_nothing(catalog):
    index = FakeIndex()
    writer, reader = (beside(catalog, index, persists=one) for one in (True, False))
    for shelf in (writer, reader):
        await shelf.refresh()
        await shelf.catch_up()
    catalog.publish("default", "Refunds.")

    await reader.refresh()
    await reader.catch_up()

    assert (reader.revision, index.applied) == (0, [])

    await writer.refresh()
    await writer.catch_up()
    await reader.catch_up()

    assert (reader.revision, len(index.applied)) == (1, 1)


async def test_who_would_wait_too_long_for_a_shared_index_does_without_it(catalog):
    index = FakeIndex()
    reader = beside(catalog, index, persists=False)
    await reader.refresh()
    await reader.catch_up()
    catalog.publish("default", "Refunds.")
    await reader.refresh()
    reader.projections["vectors"]._current_at -= PATIENCE_S + 1

    with pytest.raises(Unavailable, match="lease"):
        await reader.catch_up()

    assert (reader.revision, index.applied) == (1, [])


async def test_a_shared_index_that_was_never_filled_is_done_without_from_the_first(catalog):
    catalog.publish("default", "Refunds.")
    reader = beside(catalog, FakeIndex(), persists=False)
    await reader.refresh()

    with pytest.raises(Unavailable, match="lease"):
        await reader.catch_up()

    assert reader.revision == 1


async def test_an_index_that_is_abreast_is_left_alone(shelf, catalog):
    (index,) = add(shelf, "keywords")
    catalog.publish("default", "Refunds.")
    await shelf.refresh()
    await shelf.catch_up()
    (late,) = add(shelf, "vectors")
    shelf.projections["keywords"]._index.applied.clear()

    await shelf.catch_up()

    assert (index.applied, late.ids) == ([], {1})


async def test_saving_saves_every_index_that_has_changed(shelf, catalog):
    changed, _ = add(shelf, "vectors", "keywords")
    catalog.publish("default", "Refunds.")
    await shelf.refresh()
    await shelf.projections["vectors"].catch_up(shelf.roster)

    await shelf.save()

    assert [one._index.saves for one in shelf.projections.values()] == [1, 0]
    assert changed.saves == 1


async def test_what_was_superseded_is_forgotten_when_no_reader_can_be_pinned_before(shelf, catalog):
    add(shelf, "keywords")
    old, kept = catalog.publish("default", "Refunds.", "Fees.")
    await shelf.refresh()
    catalog.supersede("default", old)
    await shelf.refresh()
    await shelf.catch_up()

    assert shelf.roster.ids.tolist() == [old, kept]

    shelf._history = type(shelf._history)(
        (at - READER_S - 1, revision) for at, revision in shelf._history
    )
    await shelf.catch_up()

    assert shelf.roster.ids.tolist() == [kept]


async def test_what_an_index_still_lags_behind_is_not_forgotten(shelf, catalog):
    (index,) = add(shelf, "keywords")
    old, kept = catalog.publish("default", "Refunds.", "Fees.")
    await shelf.refresh()
    await shelf.catch_up()
    catalog.supersede("default", old)
    await shelf.refresh()
    shelf._history = type(shelf._history)((0.0, revision) for _, revision in shelf._history)

    shelf._forget()

    assert shelf.roster.ids.tolist() == [old, kept]
    assert index.ids == {old, kept}


async def test_a_follower_catches_up_as_soon_as_a_request_sees_a_change(shelf, catalog):
    (index,) = add(shelf, "keywords")
    await shelf.refresh()
    following = asyncio.create_task(shelf.follow(poll_s=60))
    await asyncio.sleep(0.01)
    catalog.publish("default", "Refunds.")

    await shelf.refresh()
    await until(lambda: shelf.revision == 1)

    assert index.ids == {1}
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_follower_looks_by_itself(shelf, catalog):
    (index,) = add(shelf, "keywords")
    following = asyncio.create_task(shelf.follow(poll_s=0.02))
    ids = catalog.publish("default", "Refunds.")

    await until(lambda: shelf.revision == 1)

    assert index.ids == set(ids)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_workspace_says_what_was_last_read_of_it(shelf, catalog):
    catalog.known["default"] = replace(catalog.known["default"], config_version=4)

    await shelf.refresh()

    assert shelf.workspace.config_version == 4
