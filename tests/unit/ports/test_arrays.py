"""An array that grows in place is, at every step, what concatenation would give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ports.arrays import LEAST, Ids, Room

pieces = st.lists(st.tuples(st.integers(0, 700), st.booleans()), max_size=12)


@given(pieces)
def test_what_was_returned_stays_what_concatenation_gives(steps):
    room, now = Room[Ids](), np.empty(0, np.int64)
    returned = []
    for number, (size, elsewhere) in enumerate(steps):
        before = now[: size // 2].copy() if elsewhere else now
        more = np.full(size, number, np.int64)
        now = room.extended(before, more)
        returned.append((now, np.concatenate([before, more])))

    for given_, wanted in returned:
        np.testing.assert_array_equal(given_, wanted)


def test_an_array_that_has_room_is_not_copied():
    room = Room[Ids]()
    first = room.extended(np.arange(5), np.arange(3))

    second = room.extended(first, np.arange(LEAST))
    third = room.extended(second, np.arange(LEAST))

    assert np.shares_memory(first, second)
    assert not np.shares_memory(second, third)
    assert room.extended(np.empty(0, np.int32), np.empty(0, np.int32)).dtype == np.int32


def test_two_that_begin_alike_do_not_share_what_follows():
    room = Room[Ids]()
    both = room.extended(np.arange(2), np.arange(2))

    one = room.extended(both, np.array([7]))
    other = room.extended(both, np.array([8]))

    assert (one.tolist(), other.tolist()) == ([0, 1, 0, 1, 7], [0, 1, 0, 1, 8])
