"""An audit tells what an index lacks, what it holds too much, and what is damaged of it."""

from __future__ import annotations

from orchestrator.indexing.projection import Audit, Projection
from tests.builders import Ledger
from tests.unit.fakes import FakeIndex


async def nothing(_ids):
    for _ in ():
        yield _


async def test_an_index_that_holds_what_it_should_agrees():
    ledger = Ledger()
    ledger.publish(3)

    audit = await Projection(FakeIndex(1, 2, 3), nothing).audit(ledger.roster.ids)

    assert audit == Audit(held=3, missing=0, surplus=0, faults=())
    assert audit.agrees


async def test_what_it_lacks_and_what_is_too_much_are_counted():
    ledger = Ledger()
    ledger.publish(3)

    audit = await Projection(FakeIndex(2, 8, 9), nothing).audit(ledger.roster.ids)

    assert audit == Audit(held=3, missing=2, surplus=2, faults=())
    assert not audit.agrees


async def test_damage_is_told():
    ledger, index = Ledger(), FakeIndex()
    index.damage = ["1 list is not what was written"]

    audit = await Projection(index, nothing).audit(ledger.roster.ids)

    assert audit == Audit(held=0, missing=0, surplus=0, faults=("1 list is not what was written",))
    assert not audit.agrees
