"""The library: workspaces are opened once, kept abreast, and closed with what they opened."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.errors import Conflict, Misconfigured, NotFound, Unavailable
from orchestrator.domain.identity import Principal, Scope
from orchestrator.domain.passages import Candidate, Passage
from orchestrator.indexing import library as library_module
from orchestrator.indexing.library import POLL_S, REMEMBERED_CHUNKS, RETRY_S, Library
from orchestrator.indexing.projection import Projection
from orchestrator.indexing.shelf import READER_S
from tests.unit.fakes import FakeCatalog, FakeIndex, Watcher, hurried, numbered, workspace

ANYONE = Scope("default", revision=99)


class Openings:
    """Opens one index for each configuration, and notes when they are opened and closed."""

    def __init__(self):
        self.indexes = []
        self.closed = []
        self.gate = None
        self.fails = None

    async def __call__(self, shelf, stack):
        role = f"keywords:{shelf.wanted.keywords}"
        if self.gate:
            await self.gate.wait()
        if role in shelf.projections:
            return
        index = FakeIndex()
        self.indexes.append(index)
        stack.callback(self.closed.append, index)
        if self.fails:
            raise self.fails
        shelf.projections[role] = Projection(index, numbered)


class Stage:
    def __init__(self, *, follow=False):
        self.catalog = FakeCatalog(workspace("default"), workspace("legal"))
        self.openings = Openings()
        self.watcher = Watcher()
        self.persists = False
        self.library = Library(
            self.catalog,
            self.openings,
            self.watcher,
            persists=lambda: self.persists,
            follow=follow,
        )

    def end_lease(self, name="default"):
        self.library._open[name].shelf._read_at = -1.0


@pytest.fixture
def stage():
    return Stage()


async def test_a_workspace_is_opened_caught_up_when_it_is_first_asked_for(stage):
    stage.catalog.publish("default", "Refunds.", "Fees.")

    moment = await stage.library.pin("default")

    assert (moment.revision, moment.current) == (1, True)
    assert moment.workspace == stage.catalog.known["default"]
    assert [one.ids for one in stage.openings.indexes] == [{1, 2}]


async def test_a_workspace_is_opened_once_however_many_ask_at_the_same_time(stage):
    stage.openings.gate = asyncio.Event()
    asking = [asyncio.create_task(stage.library.shelf("default")) for _ in range(20)]
    await asyncio.sleep(0.01)

    stage.openings.gate.set()
    shelves = await asyncio.gather(*asking)

    assert len(stage.openings.indexes) == 1
    assert all(one is shelves[0] for one in shelves)


async def test_workspaces_have_shelves_of_their_own(stage):
    assert await stage.library.shelf("default") is not await stage.library.shelf("legal")
    assert len(stage.openings.indexes) == 2


async def test_an_unknown_workspace_is_not_found_and_leaves_nothing_open(stage):
    with pytest.raises(NotFound, match="nowhere"):
        await stage.library.pin("nowhere")

    assert stage.library._open == {}


async def test_what_was_opened_is_closed_when_opening_fails(stage):
    stage.openings.fails = Misconfigured("no such index")

    with pytest.raises(Misconfigured):
        await stage.library.pin("default")

    assert stage.openings.closed == stage.openings.indexes
    assert stage.library._open == {}


async def test_an_opening_that_failed_is_tried_again(stage):
    stage.openings.fails = Unavailable("index", "down")
    with pytest.raises(Unavailable):
        await stage.library.pin("default")
    stage.openings.fails = None

    assert (await stage.library.pin("default")).revision == 0


async def test_a_moment_that_lags_behind_is_not_current(stage):
    await stage.library.pin("default")
    stage.catalog.publish("default", "Refunds.")
    stage.end_lease()

    moment = await stage.library.pin("default")

    assert (moment.revision, moment.workspace.revision, moment.current) == (0, 1, False)


async def test_settling_makes_everything_published_so_far_findable(stage):
    await stage.library.pin("default")
    stage.catalog.publish("default", "Refunds.")

    await stage.library.settle("default")

    assert (await stage.library.pin("default")).revision == 1


async def test_a_new_configuration_opens_what_it_names_and_keeps_what_was_open(stage):
    stage.catalog.publish("default", "Refunds.")
    shelf = await stage.library.shelf("default")
    stage.catalog.configure("default", keywords="other")
    stage.end_lease()

    again = await stage.library.shelf("default")

    assert again is shelf
    assert shelf.projections.keys() == {"keywords:default", "keywords:other"}
    assert [one.ids for one in stage.openings.indexes] == [{1}, {1}]
    assert stage.openings.closed == []


async def test_a_workspace_that_was_replaced_is_opened_anew(stage):
    old = await stage.library.shelf("default")
    stage.catalog.known["default"] = workspace("default", uid="another")
    stage.end_lease()

    new = await stage.library.shelf("default")

    assert (old.workspace.uid, new.workspace.uid) == ("uid of default", "another")
    assert stage.openings.closed == [stage.openings.indexes[0]]


async def test_a_workspace_that_was_deleted_is_not_found_and_is_closed(stage):
    await stage.library.shelf("default")
    del stage.catalog.known["default"]
    stage.end_lease()

    with pytest.raises(NotFound):
        await stage.library.shelf("default")

    assert stage.openings.closed == stage.openings.indexes
    assert stage.library._open == {}


async def test_closing_saves_what_has_changed_and_then_closes_it(stage):
    stage.catalog.publish("default", "Refunds.")
    await stage.library.shelf("default")
    (index,) = stage.openings.indexes
    saved_before = []
    stage.openings.closed = type(
        "Noting", (list,), {"append": lambda _, one: saved_before.append(one.saves)}
    )()
    stage.library._open["default"].stack.callback(stage.openings.closed.append, index)

    await stage.library.close()

    assert saved_before[0] == 1
    assert stage.library._open == {}


async def test_what_cannot_be_saved_is_closed_all_the_same(stage):
    stage.catalog.publish("default", "Refunds.")
    await stage.library.shelf("default")

    async def full():
        raise Unavailable("index", "the disk is full")

    stage.openings.indexes[0].save = full

    with pytest.raises(Unavailable):
        await stage.library.close_workspace("uid of default")

    assert stage.openings.closed == stage.openings.indexes


async def test_who_still_reads_what_is_closed_is_told(stage):
    shelf = await stage.library.shelf("default")
    (projection,) = shelf.projections.values()
    await stage.library.close_workspace("uid of default")

    with pytest.raises(Unavailable):
        await projection.search("refunds", scope=ANYONE, limit=1)


async def test_all_that_is_open_of_a_deleted_workspace_is_closed_and_no_other(stage):
    for generation in (1, 2):
        stage.catalog.configure("default", generation=generation)
        await stage.library.shelf("default")
        stage.end_lease()
        await stage.library.shelf("default")
    await stage.library.shelf("legal")
    first, second, other = stage.openings.indexes

    await stage.library.close_workspace("uid of default")

    assert set(stage.openings.closed) == {first, second}
    assert list(stage.library._open) == ["legal"]
    await stage.library.close()
    assert other in stage.openings.closed


async def test_closing_what_was_deleted_leaves_what_has_its_name_now(stage):
    stage.catalog.known["default"] = workspace("default", uid="another")
    shelf = await stage.library.shelf("default")

    await stage.library.close_workspace("uid of default")

    assert await stage.library.shelf("default") is shelf
    assert stage.openings.closed == []


async def test_closing_what_is_not_open_does_nothing(stage):
    await stage.library.close_workspace("uid of default")

    assert stage.openings.closed == []


def passages(stage, *ids):
    return stage.library.read(
        stage.library._open["default"].shelf, [Candidate(one, 0.5, {}) for one in ids], ANYONE
    )


async def test_candidates_are_read_in_their_order(stage):
    stage.catalog.publish("default", "One.", "Two.", "Three.")
    await stage.library.pin("default")

    found = await passages(stage, 3, 1)

    assert [one.chunk.text for one in found] == ["Three.", "One."]


async def test_what_was_read_is_remembered(stage):
    stage.catalog.publish("default", "One.", "Two.", "Three.")
    await stage.library.pin("default")
    await passages(stage, 3, 1)

    await passages(stage, 1, 2, 3)

    assert stage.catalog.texts_read == [[3, 1], [2]]


async def test_only_so_much_is_remembered(stage):
    ids = stage.catalog.publish("default", *map(str, range(REMEMBERED_CHUNKS + 1)))
    await stage.library.pin("default")

    await passages(stage, *ids[:-1])
    await passages(stage, ids[-1])
    await passages(stage, *ids[:2])

    assert stage.catalog.texts_read == [ids[:-1], ids[-1:], ids[:1]]


async def test_what_a_deletion_took_is_forgotten(stage):
    (chunk_id,) = stage.catalog.publish("default", "One.")
    await stage.library.pin("default")
    await passages(stage, chunk_id)
    stage.catalog.delete("default", chunk_id)

    await stage.library.settle("default")

    assert stage.library._chunks == {}


async def test_a_candidate_that_the_scope_must_not_see_is_held_back_and_told(stage):
    (secret,) = stage.catalog.publish("default", "Secret.", acl=["board"])
    (plain,) = stage.catalog.publish("default", "Plain.")
    await stage.library.pin("default")

    found = await passages(stage, secret, plain, 99)

    assert [one.chunk.text for one in found] == ["Plain."]
    assert stage.watcher.dropped_chunks == [("default", secret), ("default", 99)]


async def quoted(stage):
    (chunk_id,) = stage.catalog.publish("default", "One.")
    moment = await stage.library.pin("default")
    scope = Scope("default", revision=moment.revision)
    (chunk,) = await stage.catalog.read([chunk_id])
    return moment, [Passage(chunk, 0.5)], scope


async def test_a_superseded_passage_may_still_be_shown_to_who_is_pinned_before(stage):
    moment, found, scope = await quoted(stage)
    stage.catalog.supersede("default", found[0].chunk.id)
    stage.end_lease()

    await stage.library.confirm(moment, found, scope)

    assert moment.shelf.roster.revision == 2
    with pytest.raises(Conflict):
        await stage.library.confirm(moment, found, replace(scope, revision=2))


async def test_a_deleted_passage_is_a_conflict(stage):
    moment, found, scope = await quoted(stage)
    stage.catalog.delete("default", found[0].chunk.id)
    stage.end_lease()

    with pytest.raises(Conflict) as caught:
        await stage.library.confirm(moment, found, scope)

    assert (caught.value.code, caught.value.retry_after) == ("source_withdrawn", 0)


async def test_a_passage_of_a_deleted_workspace_is_not_confirmed(stage):
    moment, found, scope = await quoted(stage)
    del stage.catalog.known["default"]
    stage.end_lease()

    with pytest.raises(NotFound):
        await stage.library.confirm(moment, found, scope)


async def test_a_passage_for_other_groups_is_a_conflict(stage):
    moment, found, _ = await quoted(stage)
    stranger = Scope("default", Principal("x", frozenset({"x"})), revision=1)

    with pytest.raises(Conflict):
        await stage.library.confirm(moment, found, stranger)


@pytest.fixture
def following():
    return Stage(follow=True)


@hurried
async def test_a_follower_keeps_a_workspace_abreast(following):
    shelf = await following.library.shelf("default")
    following.catalog.publish("default", "One.")
    following.end_lease()

    await asyncio.sleep(POLL_S * 1.5)

    assert (shelf.revision, following.library.stalled()) == (1, [])
    await following.library.close()


@pytest.mark.parametrize("error", [Unavailable("catalog", "locked"), OSError(28, "no space left")])
@hurried
async def test_a_follower_goes_on_after_an_outage(following, error):
    shelf = await following.library.shelf("default")
    (index,) = following.openings.indexes
    index.down = error
    following.catalog.publish("default", "One.")
    following.end_lease()
    await asyncio.sleep(POLL_S * 1.5)
    stumbled, index.down = list(following.watcher.stumbles), None

    await asyncio.sleep(RETRY_S + POLL_S)

    assert stumbled == [("default", error)]
    assert (shelf.revision, following.library.stalled()) == (1, [])
    await following.library.close()


@hurried
async def test_workspaces_in_which_nothing_happens_are_not_read(following):
    await following.library.pin("default")
    await following.library.pin("legal")
    await asyncio.sleep(POLL_S)  # each looks once, when it begins
    following.end_lease()
    following.end_lease("legal")
    read = following.catalog.reads

    await asyncio.sleep(POLL_S * 10)

    assert following.catalog.reads == read
    await following.library.close()


@hurried
async def test_workspaces_that_nobody_asks_for_are_closed_beyond_the_number_kept(
    following, monkeypatch, clock
):
    monkeypatch.setattr(library_module, "KEPT_OPEN", 1)
    monkeypatch.setattr(library_module, "READER_S", 0.0)
    await following.library.pin("default")
    clock.now += 1
    await following.library.pin("legal")
    clock.now += 1
    open_before = set(following.library._open)

    await asyncio.sleep(POLL_S * 2)
    open_after = set(following.library._open)
    following.catalog.publish("default", "One.")
    moment = await following.library.pin("default")

    assert (open_before, open_after) == ({"default", "legal"}, {"legal"})
    assert moment.revision == 1
    await following.library.close()


@hurried
async def test_one_that_may_have_readers_stays_open(following, monkeypatch):
    monkeypatch.setattr(library_module, "KEPT_OPEN", 1)
    await following.library.pin("default")
    await following.library.pin("legal")

    await asyncio.sleep(POLL_S * 2)

    assert set(following.library._open) == {"default", "legal"}
    await following.library.close()


@hurried
async def test_a_lookout_that_has_ended_is_told_and_begun_anew(following, monkeypatch):
    await following.library.pin("default")
    with monkeypatch.context() as patch:
        patch.setattr(following.catalog, "revisions", _broken)
        await asyncio.sleep(POLL_S * 2)
    told = following.library.stalled()

    await following.library.pin("legal")

    assert (told, following.library.stalled()) == (["default"], [])
    await following.library.close()


async def _broken():
    raise ValueError("a defect")


@hurried
async def test_the_lookout_goes_on_after_an_outage(following):
    shelf = await following.library.shelf("default")
    following.catalog.publish("default", "One.")
    following.end_lease()
    following.catalog.down = Unavailable("catalog", "locked")
    await asyncio.sleep(POLL_S * 1.5)
    following.catalog.down = None

    await asyncio.sleep(RETRY_S + POLL_S * 1.5)

    assert shelf.revision == 1
    await following.library.close()


@hurried
async def test_a_follower_ends_with_its_workspace(following):
    await following.library.pin("default")
    follower = following.library._open["default"].follower
    del following.catalog.known["default"]
    following.end_lease()

    await asyncio.sleep(POLL_S * 1.5)

    assert follower.done()
    assert following.library.stalled() == []
    await following.library.close()


@hurried
async def test_a_follower_that_has_ended_is_told(following):
    await following.library.pin("default")
    await following.library.pin("legal")
    following.openings.indexes[1].down = ValueError("a defect")
    following.catalog.publish("legal", "One.")
    following.end_lease("legal")

    await asyncio.sleep(POLL_S * 1.5)

    assert following.library.stalled() == ["legal"]
    await following.library.close()


async def test_reopening_opens_anew_and_lets_readers_of_the_old_go_on(stage):
    stage.catalog.publish("default", "One.")
    old = await stage.library.shelf("default")
    stage.persists = True

    await stage.library.reopen()
    new = await stage.library.shelf("default")

    assert (old.persists, new.persists) == (False, True)
    assert [one.ids for one in stage.openings.indexes] == [{1}, {1}]
    assert stage.openings.closed == []
    await stage.library.close()


@pytest.mark.parametrize("persists", [False, True])
async def test_what_was_opened_as_it_would_be_now_is_not_reopened(stage, persists):
    stage.persists = persists
    shelf = await stage.library.shelf("default")

    await stage.library.reopen()

    assert await stage.library.shelf("default") is shelf


async def test_what_cannot_be_reopened_serves_on_and_is_tried_again(stage):
    old = await stage.library.shelf("default")
    stage.persists, stage.openings.fails = True, OSError(28, "no space left")

    await stage.library.reopen()

    assert await stage.library.shelf("default") is old
    assert stage.library._retiring == {}
    assert stage.watcher.stumbles == [("default", stage.openings.fails)]

    stage.openings.fails = None
    await stage.library.reopen()

    assert (await stage.library.shelf("default")).persists
    await stage.library.close()


async def test_a_workspace_that_is_gone_does_not_keep_the_others_from_being_reopened(stage):
    await stage.library.shelf("default")
    await stage.library.shelf("legal")
    stage.persists = True
    del stage.catalog.known["default"]

    await stage.library.reopen()

    assert (await stage.library.shelf("legal")).persists
    await stage.library.close()


@hurried
async def test_the_old_is_closed_when_its_readers_are_done(stage):
    await stage.library.shelf("default")
    old = stage.openings.indexes[0]
    stage.persists = True
    await stage.library.reopen()
    await asyncio.sleep(READER_S - 1)
    before = list(stage.openings.closed)

    await asyncio.sleep(2)

    assert (before, stage.openings.closed) == ([], [old])
    await stage.library.close()
    assert stage.openings.closed == stage.openings.indexes


@hurried
async def test_another_generation_is_opened_anew_and_lets_readers_of_the_old_go_on(stage):
    old = await stage.library.shelf("default")
    stage.catalog.configure("default", generation=2)
    stage.end_lease()

    new = await stage.library.shelf("default")

    assert (old.generation, new.generation) == (1, 2)
    assert stage.openings.closed == []

    await asyncio.sleep(READER_S + 1)

    assert stage.openings.closed == [stage.openings.indexes[0]]
    await stage.library.close()


async def test_a_generation_that_cannot_be_opened_retires_nothing(stage):
    await stage.library.shelf("default")
    old = stage.library._open["default"]
    stage.catalog.configure("default", generation=2)
    stage.end_lease()
    stage.openings.fails = Unavailable("index", "down")

    for _ in range(3):
        with pytest.raises(Unavailable):
            await stage.library.shelf("default")

    assert stage.library._open["default"] is old
    assert stage.library._retiring == {}

    stage.openings.fails = None

    assert (await stage.library.shelf("default")).generation == 2
    await stage.library.close()


async def test_a_generation_that_comes_back_is_not_open_for_writing_twice(stage):
    stage.persists = True
    for generation in (1, 2, 1):
        stage.catalog.configure("default", generation=generation)
        await stage.library.shelf("default")
        stage.end_lease()
        await stage.library.shelf("default")

    first, second, again = stage.openings.indexes

    assert stage.openings.closed == [first]
    await stage.library.close()
    assert set(stage.openings.closed) == {first, second, again}


async def test_a_configuration_that_changes_while_the_last_one_is_opened_is_opened_too(stage):
    await stage.library.shelf("default")
    stage.catalog.configure("default", keywords="other")
    stage.end_lease()
    stage.openings.gate = asyncio.Event()
    asking = asyncio.create_task(stage.library.pin("default"))
    await asyncio.sleep(0.01)
    stage.catalog.configure("default", keywords="third")
    await stage.library._open["default"].shelf.refresh()

    stage.openings.gate.set()
    moment = await asking

    assert f"keywords:{moment.workspace.config.keywords}" in moment.shelf.projections


async def test_a_workspace_that_is_closed_while_it_is_reconfigured_is_opened_anew(stage):
    await stage.library.shelf("default")
    stage.catalog.configure("default", keywords="other")
    stage.end_lease()
    asking = asyncio.create_task(stage.library.shelf("default"))
    async with stage.library._opening:
        await asyncio.sleep(0.01)
        del stage.library._open["default"]

    assert (await asking).projections.keys() == {"keywords:other"}


async def test_a_workspace_that_is_closed_while_it_is_opened_does_not_stay_open(stage):
    stage.openings.gate = asyncio.Event()
    asking = asyncio.create_task(stage.library.shelf("default"))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(stage.library.close_workspace("uid of default"))
    await asyncio.sleep(0.01)

    stage.openings.gate.set()
    await asyncio.gather(asking, closing)

    assert stage.library._open == {}
    assert stage.openings.closed == stage.openings.indexes


async def test_all_are_closed_whichever_cannot_be_saved(stage):
    await stage.library.shelf("default")
    await stage.library.shelf("legal")

    async def full():
        raise Unavailable("index", "the disk is full")

    for one in stage.library._open.values():
        one.shelf.save = full

    with pytest.raises(Unavailable):
        await stage.library.close()

    assert set(stage.openings.closed) == set(stage.openings.indexes)


async def test_closing_does_not_wait_for_the_readers_of_the_old(stage):
    await stage.library.shelf("default")
    stage.persists = True
    await stage.library.reopen()

    async with asyncio.timeout(60):
        await stage.library.close()

    assert len(stage.openings.closed) == 2
