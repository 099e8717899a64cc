"""A projection follows its roster, and says how far it has come only when it is there."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Hit
from orchestrator.indexing import projection as projection_module
from orchestrator.indexing.projection import Projection
from tests.builders import Ledger
from tests.unit.fakes import FakeIndex, numbered, until


async def test_what_the_roster_has_and_the_index_lacks_is_added_in_larger_batches(monkeypatch):
    monkeypatch.setattr(projection_module, "TOGETHER", 3)
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(5)
    projection = Projection(index, numbered)

    await projection.catch_up(ledger.roster)

    texts = [f"text {number}" for number in range(1, 6)]
    assert index.applied == [([1, 2, 3, 4], texts[:4], []), ([5], texts[4:], [])]
    assert projection.revision == 1


async def test_what_the_roster_has_no_more_is_removed():
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(2)
    ledger.publish(1)
    projection = Projection(index, numbered)
    await projection.catch_up(ledger.roster)
    ledger.delete(1)

    await projection.catch_up(ledger.roster)

    assert index.applied[-1] == ([], [], [1, 2])
    assert (index.ids, projection.revision) == ({3}, 3)


async def test_an_index_that_kept_something_is_only_told_the_difference():
    ledger, index = Ledger(), FakeIndex(1, 2, 9)
    ledger.publish(3)

    await Projection(index, numbered).catch_up(ledger.roster)

    assert index.applied == [([3], ["text 3"], []), ([], [], [9])]


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
async def test_whatever_an_index_held_it_ends_with_what_the_roster_has(held, gone):
    ledger, index = Ledger(), FakeIndex(*held)
    ledger.publish(20)
    for chunk_id in ledger.publish(20):
        ledger.publish(1)
        if chunk_id in gone:
            ledger.supersede([chunk_id])
    ledger.roster.forget(ledger.revision)

    await Projection(index, numbered).catch_up(ledger.roster)

    assert index.ids == set(ledger.roster.ids.tolist())
    assert {one for ids, _, _ in index.applied for one in ids} == index.ids - held


async def test_an_index_is_asked_once_what_it_holds():
    ledger, index = Ledger(), FakeIndex()
    projection = Projection(index, numbered)
    for _ in range(3):
        ledger.publish(1)
        await projection.catch_up(ledger.roster)

    assert index.helds == 1
    assert index.ids == {1, 2, 3}


async def test_where_nothing_differs_nothing_is_applied():
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(2)
    projection = Projection(index, numbered)
    await projection.catch_up(ledger.roster)
    ledger.grant(1, acl={"legal"})

    await projection.catch_up(ledger.roster)

    assert len(index.applied) == 1
    assert projection.revision == 2


async def test_the_revision_moves_when_all_is_applied_and_not_before():
    ledger, index = Ledger(), FakeIndex()
    index.gate = asyncio.Event()
    ledger.publish(3)
    projection = Projection(index, numbered)

    catching_up = asyncio.create_task(projection.catch_up(ledger.roster))
    await until(lambda: index.helds == 1)
    await asyncio.sleep(0.01)

    assert projection.revision == 0

    index.gate.set()
    await catching_up

    assert projection.revision == 1


async def test_what_is_published_meanwhile_waits_for_the_next_time():
    ledger, index = Ledger(), FakeIndex()
    index.gate = asyncio.Event()
    ledger.publish(1)
    projection = Projection(index, numbered)
    catching_up = asyncio.create_task(projection.catch_up(ledger.roster))
    await until(lambda: index.helds == 1)
    ledger.publish(1)
    index.gate.set()

    await catching_up

    assert (projection.revision, index.ids) == (1, {1})

    await projection.catch_up(ledger.roster)

    assert (projection.revision, index.ids) == (2, {1, 2})


async def test_after_a_failure_the_revision_stays_and_the_rest_is_done_later():
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(3)
    projection = Projection(index, numbered)
    index.down = Unavailable("index", "full")
    with pytest.raises(Unavailable):
        await projection.catch_up(ledger.roster)

    assert projection.revision == 0

    index.down = None
    await projection.catch_up(ledger.roster)

    assert (projection.revision, index.ids) == (1, {1, 2, 3})


async def test_an_index_is_saved_when_it_has_changed_since():
    ledger, index = Ledger(), FakeIndex()
    projection = Projection(index, numbered)
    await projection.save()

    assert index.saves == 0

    ledger.publish(1)
    await projection.catch_up(ledger.roster)
    await projection.save()
    await projection.save()

    assert index.saves == 1

    ledger.delete(1)
    await projection.catch_up(ledger.roster)
    await projection.save()

    assert index.saves == 2


async def test_an_index_that_could_not_be_saved_is_saved_later():
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(1)
    projection = Projection(index, numbered)
    await projection.catch_up(ledger.roster)
    index.full = OSError("no space left")
    with pytest.raises(OSError, match="no space left"):
        await projection.save()

    index.full = None
    await projection.save()

    assert index.saves == 1


async def test_who_comes_late_to_a_closed_index_is_told():
    ledger, index = Ledger(), FakeIndex()
    projection = Projection(index, numbered)
    ledger.publish(1)
    await projection.catch_up(ledger.roster)
    projection.close()
    ledger.publish(1)

    with pytest.raises(Unavailable, match="closed"):
        await projection.search("refunds", scope=ledger.scope(), limit=1)
    with pytest.raises(Unavailable, match="closed"):
        await projection.catch_up(ledger.roster)
    ledger.delete(1)
    ledger.delete(2)
    with pytest.raises(Unavailable, match="closed"):
        await projection.catch_up(ledger.roster)
    await projection.save()

    assert (index.asked, index.ids, index.saves) == ([], {1}, 0)


async def test_a_search_is_the_indexs_own():
    index = FakeIndex(hits=[Hit(2, 0.5), Hit(1, 0.25)])
    scope = Ledger().scope()

    hits = await Projection(index, numbered).search("refunds", scope=scope, limit=1)

    assert hits == [Hit(2, 0.5)]
    assert index.asked == [("refunds", scope, 1)]


async def test_after_an_outage_of_the_index_it_is_filled_with_what_it_has_lost():
    ledger, index = Ledger(), FakeIndex()
    ledger.publish(3)
    projection = Projection(index, numbered)
    await projection.catch_up(ledger.roster)
    index.lost = Unavailable("milvus", "connection refused")
    with pytest.raises(Unavailable):
        await projection.search("?", scope=ledger.scope(), limit=1)
    index.lost, index.ids = None, {1}

    await projection.catch_up(ledger.roster)

    assert (index.ids, projection.revision, projection.down) == ({1, 2, 3}, 1, False)


async def test_what_another_process_added_to_a_shared_index_is_left_there():
    ledger, index = Ledger(), FakeIndex(1, 2, 7, 8)
    ledger.publish(2)

    async def source(ids):
        async for batch, texts in numbered(ids[ids != 8]):
            yield batch, texts

    await Projection(index, source, shared=True).catch_up(ledger.roster)

    assert index.ids == {1, 2, 7}
    assert index.applied == [([], [], [8])]


async def test_what_was_left_in_a_shared_index_is_removed_when_the_catalog_has_it_no_more():
    ledger, index, alive = Ledger(), FakeIndex(1, 2, 7, 8), {1, 2, 7, 8}
    ledger.publish(2)

    async def source(ids):
        async for batch, texts in numbered(np.array([one for one in ids.tolist() if one in alive])):
            yield batch, texts

    projection = Projection(index, source, shared=True)
    await projection.catch_up(ledger.roster)
    alive.remove(7)
    ledger.delete(1)
    await projection.catch_up(ledger.roster)
    between = set(index.ids)
    alive.remove(8)
    ledger.publish(0)
    await projection.catch_up(ledger.roster)

    assert between == {8}
    assert (index.ids, projection.share(ledger.roster)) == (set(), 1.0)


async def test_what_was_left_in_a_shared_index_is_no_part_of_what_is_to_be_held():
    ledger, index = Ledger(), FakeIndex(7, 8)
    ledger.publish(4)
    projection = Projection(index, numbered, shared=True)

    await projection.catch_up(ledger.roster, most=1)

    assert projection.share(ledger.roster) == 0.25


async def test_filled_in_steps_it_has_no_revision_before_it_is_whole():
    ledger, index = Ledger(), FakeIndex(9)
    ledger.publish(5)
    projection = Projection(index, numbered)

    first = await projection.catch_up(ledger.roster, most=3)
    between = projection.revision, set(index.ids), projection.share(ledger.roster)
    second = await projection.catch_up(ledger.roster, most=3)

    assert (first, between) == (False, (0, {1, 2, 3}, 0.6))
    assert (second, index.ids) == (True, {1, 2, 3, 4, 5})
    assert projection.revision == ledger.roster.revision


async def test_what_is_let_go_is_closed_at_once():
    closed = []

    async def close():
        closed.append(True)

    projection = Projection(FakeIndex(), numbered, release=close)

    await projection.release()

    assert closed == [True]
    with pytest.raises(Unavailable):
        await projection.held()
