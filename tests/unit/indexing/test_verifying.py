"""An index is verified by what it holds, and by finding chunks by what they hold."""

from __future__ import annotations

import pytest

from orchestrator.domain.passages import Hit
from orchestrator.indexing.projection import Projection
from orchestrator.indexing.shelf import Shelf
from orchestrator.indexing.verifying import LIMIT, fault_of
from tests.unit.fakes import FakeCatalog, FakeIndex, numbered, workspace


class Finding(FakeIndex):
    """Finds the chunk that a text is of, unless it is one of the `unfound`."""

    unfound: frozenset[int] = frozenset()

    async def search(self, question, *, scope, limit):
        found = int(question.rpartition(" ")[2])
        return [] if found in self.unfound else [Hit(found, 1.0)]


@pytest.fixture
def catalog():
    return FakeCatalog(workspace("default"))


@pytest.fixture
async def shelf(catalog):
    for number in range(20):
        catalog.publish("default", f"chunk {number}", acl=["board"] if number % 2 else ["everyone"])
    made = Shelf(catalog, catalog.known["default"], on_gone=lambda _: None)
    made.projections["keywords"] = Projection(Finding(), numbered)
    await made.refresh()
    await made.catch_up()
    return made


async def test_an_index_that_holds_and_finds_everything_has_no_fault(shelf):
    assert await fault_of(shelf, ["keywords"]) is None


async def test_one_that_lacks_a_chunk_has(shelf):
    shelf.projections["keywords"]._index.ids.discard(7)

    assert await fault_of(shelf, ["keywords"]) == "keywords lacks 1 of 20 chunks"


async def test_one_that_misses_a_few_is_approximate_and_one_that_misses_more_is_wrong(shelf):
    index = shelf.projections["keywords"]._index
    index.unfound = frozenset({1, 2})
    few = await fault_of(shelf, ["keywords"])
    index.unfound = frozenset({1, 2, 3})

    assert few is None
    assert await fault_of(shelf, ["keywords"]) == (
        "keywords does not find 3 of 20 chunks by what they hold"
    )


async def test_a_text_that_stands_in_many_chunks_need_not_find_each_of_them(shelf):
    class Tied(FakeIndex):
        async def search(self, question, *, scope, limit):
            return [Hit(100 + number, 1.0) for number in range(LIMIT)]

    shelf.projections["keywords"]._index = Tied(*shelf.roster.ids.tolist())

    assert await fault_of(shelf, ["keywords"]) is None


async def test_what_was_deleted_a_moment_ago_is_neither_lacking_nor_lost(shelf, catalog):
    index = shelf.projections["keywords"]._index
    for chunk_id in (7, 8, 9):
        catalog.delete("default", chunk_id)
    index.ids -= {7, 8}
    index.unfound = frozenset({7, 8, 9})

    assert await fault_of(shelf, ["keywords"]) is None
