"""While a workspace is re-indexed, readers are on one footing wholly: none waits for the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.domain.errors import Conflict
from orchestrator.domain.identity import Scope
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.indexing.projection import Projection
from tests.unit.fakes import NOW, FakeIndex, numbered
from tests.unit.indexing.test_library import Openings, Stage

UID = "uid of default"


class Reindexed(Stage):
    """A workspace of one document, of which another footing is built."""

    def __init__(self, **changes):
        super().__init__()
        self.catalog.publish("default", "old")
        before = self.catalog.known["default"].config.footing
        after = replace(before, **changes)
        self.one = Reindexing(
            "one", UID, State.BUILDING, before, after, Models("a", "b"), True, 0.0, NOW
        )
        self.catalog.reindexed[UID] = self.one

    def switch(self, to):
        self.catalog.configure(
            "default", generation=to.generation, keywords=to.keywords, vectors=to.vectors
        )
        self.catalog._advance("default")
        self.end_lease()

    async def prepared(self):
        shelf, footing = await self.library.prepare("default", self.one)
        await shelf.refresh()
        await shelf.catch_up()
        return shelf, footing

    async def let_go(self):
        await self.library.let_go("default", lambda config: {f"keywords:{config.keywords}"})

    @property
    def retiring(self):
        return self.library.is_retiring(UID)

    async def seen(self):
        moment = await self.library.pin("default")
        return moment.shelf.roster.select(Scope("default", revision=moment.revision)).ids.tolist()


class Needing(Openings):
    """Opens another index for each depth, too."""

    async def __call__(self, shelf, stack):
        role = f"{shelf.wanted.vectors}, {shelf.wanted.depth}"
        if role not in shelf.projections:
            self.indexes.append(FakeIndex())
            shelf.projections[role] = Projection(self.indexes[-1], numbered)


@pytest.fixture
def copied():
    return Reindexed(generation=2)


@pytest.fixture
def stored():
    return Reindexed(keywords="second")


async def test_what_is_built_beside_is_not_what_readers_see(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.end_lease()

    shelf, footing = await copied.prepared()

    assert (footing, shelf.generation) == (copied.one.after, 2)
    assert shelf.roster.ids.tolist() == [2, 3]
    await copied.library.settle("default")
    assert await copied.seen() == [1]


async def test_a_process_that_is_not_prepared_reads_on_from_the_footing_before(copied):
    before = await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.switch(copied.one.after)

    moment = await copied.library.pin("default")

    assert moment.workspace.config == before.workspace.config
    assert moment.workspace.config_version == 1
    assert await copied.seen() == [1]


async def test_once_prepared_and_verified_readers_go_over_at_the_next_request(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    shelf, footing = await copied.prepared()
    copied.switch(copied.one.after)
    early = await copied.seen()
    copied.library.make_ready(shelf, footing)

    moment = await copied.library.pin("default")

    assert early == [1]
    assert moment.workspace.config.generation == 2
    assert moment.revision == moment.workspace.revision
    assert await copied.seen() == [2, 3]


async def test_the_way_back_opens_nothing(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.library.make_ready(*await copied.prepared())
    copied.switch(copied.one.after)
    await copied.library.pin("default")
    opened = len(copied.openings.indexes)

    copied.switch(copied.one.before)
    await copied.library.pin("default")

    assert await copied.seen() == [1]
    assert len(copied.openings.indexes) == opened


async def test_who_was_pinned_before_the_switch_sees_the_footing_before_to_the_end(copied):
    moment = await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.library.make_ready(*await copied.prepared())
    copied.switch(copied.one.after)
    await copied.library.pin("default")

    scope = Scope("default", revision=moment.revision)

    assert moment.shelf.roster.select(scope).ids.tolist() == [1]
    projection = moment.shelf.projections["keywords:default"]
    assert list(await projection.search("old", scope=scope, limit=1)) == []


async def test_a_deletion_that_is_settled_is_gone_from_both_footings(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    shelf, _ = await copied.prepared()
    copied.catalog.delete("default", 2)

    await copied.library.settle("default")

    (index,) = (one._index for one in shelf.projections.values())
    assert index.ids == set()
    assert index.saves == 1


async def test_a_deletion_that_is_settled_is_gone_from_where_only_earlier_readers_are(copied):
    await copied.library.pin("default")
    copied.persists = True
    await copied.library.reopen()
    copied.catalog.delete("default", 1)

    await copied.library.settle("default")

    before, _ = copied.openings.indexes
    assert copied.retiring
    assert before.ids == set()
    assert before.saves == 1


async def test_another_store_is_filled_beside_and_does_not_hold_readers_back(stored):
    before = await stored.library.pin("default")
    shelf, _ = await stored.library.prepare("default", stored.one)

    during = await stored.library.pin("default")
    await shelf.catch_up()

    assert during.revision == before.revision == 1
    assert during.shelf.projections["keywords:second"].revision == 1


async def test_a_store_that_is_not_verified_here_is_not_read_from_after_the_switch(stored):
    await stored.library.pin("default")
    shelf, footing = await stored.prepared()
    stored.switch(stored.one.after)
    early = (await stored.library.pin("default")).workspace.config
    stored.library.make_ready(shelf, footing)

    late = (await stored.library.pin("default")).workspace.config

    assert (early.keywords, late.keywords) == ("default", "second")


async def test_what_is_let_go_is_closed_and_what_serves_is_not(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.library.make_ready(*await copied.prepared())
    copied.switch(copied.one.after)
    await copied.library.pin("default")
    del copied.catalog.reindexed[UID]
    assert copied.library.preparing() == {UID: "default"}

    await copied.let_go()

    assert copied.openings.closed == [copied.openings.indexes[0]]
    assert copied.library.preparing() == {}
    assert await copied.seen() == [2, 3]


async def test_a_process_that_never_prepared_opens_the_footing_once_the_other_is_given_up(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.switch(copied.one.after)
    await copied.library.pin("default")
    del copied.catalog.reindexed[UID]

    await copied.let_go()

    assert await copied.seen() == [2, 3]


async def test_a_process_that_is_late_goes_on_preparing_and_goes_over_when_it_is_done(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    shelf, _ = await copied.library.prepare("default", copied.one)
    copied.switch(copied.one.after)
    del copied.catalog.reindexed[UID]

    await copied.let_go()
    early, opened, waited = await copied.seen(), len(copied.openings.indexes), copied.retiring
    await shelf.catch_up()
    await copied.let_go()
    moment = await copied.library.pin("default")

    assert (early, opened, waited) == ([1], 2, True)
    assert (moment.shelf, await copied.seen()) == (shelf, [2, 3])
    assert len(copied.openings.indexes) == 2
    assert copied.openings.closed == []  # who read there is left to finish
    assert copied.retiring
    await copied.let_go()
    assert copied.library.preparing() == {}


async def test_a_process_that_is_late_reads_on_from_the_store_before_till_the_other_is_full(stored):
    await stored.library.pin("default")
    shelf, _ = await stored.library.prepare("default", stored.one)
    stored.switch(stored.one.after)
    del stored.catalog.reindexed[UID]

    await stored.let_go()
    early = await stored.library.pin("default")
    await shelf.catch_up()
    await stored.let_go()
    late = await stored.library.pin("default")

    assert (early.workspace.config.keywords, early.revision) == ("default", 1)
    assert (late.workspace.config.keywords, late.revision) == ("second", 2)
    await stored.let_go()
    assert shelf.projections.keys() == {"keywords:second"}
    assert stored.library.preparing() == {}


async def test_what_is_beside_is_followed_and_closed_with_the_library(clock):
    stage = Reindexed(generation=2)
    stage.library._follow = True
    await stage.library.pin("default")
    shelf, _ = await stage.library.prepare("default", stage.one)
    stage.catalog.publish("default", "ol", "d", generation=2)

    async with asyncio.timeout(60):
        while shelf.revision < 2:  # the follower sets no event for this
            clock.now += 1
            await asyncio.sleep(0.01)
    await stage.library.close()

    assert len(stage.openings.closed) == 2


async def test_a_switch_that_was_rolled_back_meanwhile_leaves_readers_where_they_were(copied):
    await copied.library.pin("default")
    copied.catalog.publish("default", "ol", "d", generation=2)
    copied.library.make_ready(*await copied.prepared())
    copied.switch(copied.one.after)
    copied.switch(copied.one.before)

    assert await copied.seen() == [1]


async def test_errors_of_opening_beside_leave_nothing_behind(copied):
    await copied.library.pin("default")
    copied.openings.fails = Conflict("the settings have it no more")

    with pytest.raises(Conflict):
        await copied.library.prepare("default", copied.one)

    assert copied.library._beside == {}
    assert await copied.seen() == [1]


async def test_what_is_opened_anew_is_to_be_prepared_anew(stored):
    await stored.library.pin("default")
    shelf, footing = await stored.prepared()
    stored.library.make_ready(shelf, footing)
    stored.persists = True

    await stored.library.reopen()
    stored.switch(stored.one.after)

    assert (await stored.library.pin("default")).workspace.config.keywords == "default"
    again, footing = await stored.prepared()
    assert again is not shelf
    stored.library.make_ready(again, footing)
    assert (await stored.library.pin("default")).workspace.config.keywords == "second"


@pytest.mark.parametrize("step", ["save", "faults"])
async def test_a_store_may_be_opened_while_the_others_are_saved_or_audited(stored, step):
    shelf = (await stored.library.pin("default")).shelf
    (first,) = (one._index for one in shelf.projections.values())
    usual = getattr(first, step)

    async def meanwhile():
        await stored.library.prepare("default", stored.one)
        return await usual()

    setattr(first, step, meanwhile)

    await shelf.save()
    audits = await shelf.audit()

    assert audits["keywords:default"].agrees
    assert first.saves == 1
    assert "keywords:second" in shelf.projections


async def test_what_was_only_half_filled_holds_nobody_back_while_it_is_let_go(stored):
    before = await stored.library.pin("default")
    shelf, _ = await stored.library.prepare("default", stored.one)
    shelf.projections["keywords:second"]._index.gate = gate = asyncio.Event()
    filling = asyncio.create_task(shelf.catch_up())
    del stored.catalog.reindexed[UID]

    letting_go = asyncio.create_task(stored.let_go())
    await asyncio.sleep(0.01)
    during = await stored.library.pin("default")
    gate.set()
    await asyncio.gather(filling, letting_go)

    assert during.revision == before.revision == 1
    assert shelf.projections.keys() == {"keywords:default"}
    assert stored.library.preparing() == {}


@pytest.mark.parametrize("step", ["held", "apply"])
async def test_what_is_published_during_an_audit_is_not_missing(copied, step):
    shelf = (await copied.library.pin("default")).shelf
    index = shelf.projections["keywords:default"]._index
    usual, coming = getattr(index, step), ["one", "more"]

    async def meanwhile(*given, **named):
        done = await usual(*given, **named)
        if coming:
            copied.catalog.publish("default", coming.pop())
            await shelf.refresh()
        return done

    setattr(index, step, meanwhile)
    copied.catalog.publish("default", "new")

    (audit,) = (await shelf.audit()).values()

    assert audit.agrees


async def test_what_is_being_filled_is_not_audited(stored):
    await stored.library.pin("default")
    await stored.library.prepare("default", stored.one)

    assert (await stored.library.audit("default")).keys() == {"keywords:default"}


async def test_new_search_settings_do_not_wait_for_a_store_that_is_being_filled(stored):
    await stored.library.pin("default")
    shelf, _ = await stored.library.prepare("default", stored.one)
    shelf.projections["keywords:second"]._index.gate = asyncio.Event()
    stored.catalog.configure("default", depth=7)
    stored.end_lease()

    async with asyncio.timeout(60):
        moment = await stored.library.pin("default")

    assert (moment.workspace.config.depth, moment.revision) == (7, 1)
    assert (shelf.wanted.depth, shelf.wanted.keywords) == (7, "second")
    assert shelf.share() == 0.0


async def test_what_new_search_settings_need_is_open_and_full_while_a_store_is_filled():
    stage = Reindexed(vectors="second")
    stage.library._opener = stage.openings = Needing()
    await stage.library.pin("default")
    shelf, _ = await stage.library.prepare("default", stage.one)
    stage.catalog.configure("default", depth=7)
    stage.end_lease()

    moment = await stage.library.pin("default")

    revisions = {role: one.revision for role, one in shelf.projections.items()}
    assert moment.revision == revisions["default, 7"] == 1
    assert revisions.keys() == {"default, 100", "second, 100", "default, 7", "second, 7"}
    assert shelf.counted == {"default, 100", "default, 7"}
