"""How many sockets are let in: in all, and of one caller."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from prometheus_client import Gauge

from orchestrator.domain.errors import Exhausted
from orchestrator.domain.identity import ANONYMOUS, Principal
from orchestrator.http.sockets import Sockets
from orchestrator.settings.tree import HttpSettings

ADA, BOB = Principal("ada"), Principal("bob")


@pytest.fixture
def gauge():
    return Gauge("open", "Sockets.", registry=None)


@pytest.fixture
def sockets(gauge):
    return Sockets(HttpSettings(max_sockets=4, max_caller_sockets=2), gauge)


def refused(sockets, who):
    with pytest.raises(Exhausted) as caught, sockets.holding(who):
        pass
    assert caught.value.code == "too_many_sockets"
    assert caught.value.retry_after
    return caught.value.detail


def test_a_caller_has_so_many_and_another_has_their_own(sockets):
    with sockets.holding(ADA), sockets.holding(ADA):
        assert refused(sockets, ADA).startswith("you have 2 sockets open")
        with sockets.holding(BOB):
            pass


def test_who_is_anonymous_is_held_to_what_the_server_holds(sockets, gauge):
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(sockets.holding(ANONYMOUS))
        assert gauge._value.get() == 4
        assert refused(sockets, ANONYMOUS).startswith("this server holds 4 sockets")
        assert refused(sockets, BOB).startswith("this server holds 4 sockets")
    assert gauge._value.get() == 0


def test_a_socket_that_closes_makes_room_whichever_way_it_ended(sockets, gauge):
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), sockets.holding(ADA):
            raise ZeroDivisionError

    assert (gauge._value.get(), sockets._of) == (0, {})
    with sockets.holding(ADA), sockets.holding(ADA):
        assert gauge._value.get() == 2
