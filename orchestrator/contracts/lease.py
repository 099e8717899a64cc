"""The promises of a `Lease`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from orchestrator.ports.lease import Lease


class LeaseContract:
    """Needs the fixture `candidate`: each call gives another process's lease on the same thing."""

    @pytest.fixture
    def lease(self, candidate: Callable[[], Lease]) -> Iterator[Lease]:
        lease = candidate()
        yield lease
        lease.release()

    def test_it_is_not_held_before_it_is_taken(self, lease: Lease) -> None:
        assert not lease.held

    def test_a_free_lease_is_taken(self, lease: Lease) -> None:
        taken = lease.acquire()

        assert taken
        assert lease.held

    def test_who_holds_it_may_take_it_again(self, lease: Lease) -> None:
        lease.acquire()

        assert lease.acquire()
        assert lease.held

    def test_only_one_holds_it(self, lease: Lease, candidate: Callable[[], Lease]) -> None:
        other = candidate()
        lease.acquire()

        assert not other.acquire()
        assert not other.held
        assert lease.held

    def test_what_was_given_back_can_be_taken_by_another(
        self, lease: Lease, candidate: Callable[[], Lease]
    ) -> None:
        other = candidate()
        other.acquire()
        other.release()

        assert not other.held
        assert lease.acquire()

    def test_giving_back_what_is_not_held_takes_it_from_nobody(
        self, lease: Lease, candidate: Callable[[], Lease]
    ) -> None:
        lease.acquire()
        candidate().release()

        assert lease.held
        assert not candidate().acquire()
