"""Masks are made once for each selection, whichever threads ask for them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from adapters import masks as module
from adapters.masks import Masks
from orchestrator.ports.indexes import Selection


def test_threads_that_ask_at_once_have_one_mask(monkeypatch):
    made, isin = [], np.isin

    def slow(*given, **more):
        made.append(1)
        time.sleep(0.05)
        return isin(*given, **more)

    monkeypatch.setattr(module.np, "isin", slow)
    masks, ids, selection = Masks(), np.array([1, 2, 3]), Selection(np.array([2, 3]))

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: masks.allowed(ids, selection), range(4)))

    assert [one.tolist() for one in found] == [[False, True, True]] * 4
    assert len(made) == 1


def test_other_ids_have_another_mask():
    masks, selection = Masks(), Selection(np.array([2, 3]))

    first, second = (masks.allowed(np.array(ids), selection) for ids in ([1, 2], [3, 4]))

    assert (first.tolist(), second.tolist()) == ([False, True], [True, False])


@pytest.mark.parametrize(
    ("ids", "seen"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 4, 5], [1, 2, 3]),
        ([1, 2, 3], [1, 2, 3, 4, 5]),
        ([1, 2, 3, -1, 4, -1], [1, 2, 3, 4, 7]),
        ([1, 2, 3], [1, 3]),
        ([3, 1, -1, 2], [1, 2, 3]),
        ([], [1]),
        ([-1, -1], []),
    ],
)
def test_a_mask_says_of_each_id_whether_it_is_among_those_seen(ids, seen):
    held, selection = np.array(ids, np.int64), Selection(np.array(seen, np.int64))

    mask = Masks().allowed(held, selection)

    assert mask.tolist() == [one in seen for one in ids]
