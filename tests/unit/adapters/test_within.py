"""Whatever is allowed, the best of it are found, in as few words to the index as it takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.within import Only, Reach, Without, search_within
from orchestrator.domain.passages import Hit


class Ranked:
    """An index whose best chunk is the one with the lowest id; it notes what it was asked."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids
        self.asked: list[tuple[str, int, int]] = []

    async def search(self, bound, count):
        named = set() if bound is None else {*bound.ids.tolist()}
        self.asked.append((type(bound).__name__, len(named), count))
        match bound:
            case Only():
                seen = [one for one in self.ids if one in named]
            case Without():
                seen = [one for one in self.ids if one not in named]
            case None:
                seen = self.ids
        return [Hit(one, -float(one)) for one in seen[:count]]


async def best_of(index: Ranked, visible: set[int], *, limit: int, reach: Reach) -> list[int]:
    held = np.array(index.ids, np.int64)
    allowed = np.array([one in visible for one in index.ids], bool)
    hits = await search_within(index.search, held, allowed, limit=limit, reach=reach)
    return [hit.chunk_id for hit in hits]


@given(
    size=st.integers(0, 60),
    visible=st.sets(st.integers(0, 59)),
    limit=st.integers(1, 70),
    names=st.integers(1, 60),
    hits=st.integers(70, 90),
)
async def test_the_best_of_what_is_allowed_are_found_whichever_way(
    size, visible, limit, names, hits
):
    index = Ranked(list(range(size)))

    found = await best_of(index, visible, limit=limit, reach=Reach(names, hits))

    assert found == sorted(one for one in visible if one < size)[:limit]
    assert all(count <= hits and named <= names for _, named, count in index.asked)


@pytest.mark.parametrize(
    ("visible", "asked"),
    [
        (range(100), [("NoneType", 0, 5)]),
        (range(90, 100), [("Only", 10, 5)]),
        (range(10, 100), [("Without", 10, 5)]),
        (range(0, 100, 2), [("NoneType", 0, 20)]),
        (range(0, 100, 5), [("NoneType", 0, 50)]),
        (range(25, 75), [("NoneType", 0, 20), ("NoneType", 0, 80)]),
        ((), []),
    ],
)
async def test_it_is_asked_in_the_shortest_way(visible, asked):
    index = Ranked(list(range(100)))

    await best_of(index, {*visible}, limit=5, reach=Reach(10, 1000))

    assert index.asked == asked


async def test_where_asking_for_more_does_not_reach_everything_allowed_is_asked_for_by_parts():
    index = Ranked(list(range(100)))

    found = await best_of(index, {*range(60, 90)}, limit=5, reach=Reach(10, 40))

    assert found == [60, 61, 62, 63, 64]
    assert index.asked == [
        ("NoneType", 0, 33),
        ("NoneType", 0, 40),
        *[("Only", 10, 5)] * 3,
    ]


async def test_what_others_added_meanwhile_takes_no_place():
    index = Ranked(list(range(20)))
    held = np.arange(10, 20)

    hits = await search_within(index.search, held, np.ones(10, bool), limit=3, reach=Reach(5, 100))

    assert [hit.chunk_id for hit in hits] == [10, 11, 12]
