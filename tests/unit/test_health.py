"""What is up and what is down, and whether an answer can be given without it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from orchestrator import health as health_module
from orchestrator.domain.errors import Unavailable
from orchestrator.health import Health


class Server:
    def __init__(self, reason=""):
        self._reason = reason

    async def ping(self):
        if self._reason:
            raise Unavailable("the server", self._reason)


def health(*, catalog="", blobs="", caches=None, stalled=()):
    library = SimpleNamespace(stalled=lambda: list(stalled))
    return Health(Server(catalog), Server(blobs), caches or {"default": Server()}, library)


async def test_everything_that_answers_is_up():
    report = await health().report()

    assert report.states == {"catalog": "up", "blobs": "up", "cache": "up"}
    assert (report.ready, report.down) == (True, [])


async def test_what_has_no_server_is_up():
    report = await health(caches={"default": object()}).report()

    assert report.states["cache"] == "up"


async def test_without_a_cache_the_service_is_ready():
    report = await health(caches={"default": Server("refused"), "far": Server("asleep")}).report()

    assert report.states["cache"] == "down: the server is unavailable: refused"
    assert (report.ready, report.down) == (True, ["cache", "cache:far"])


async def test_without_the_catalog_or_the_blobs_the_service_is_not_ready():
    for values in ({"catalog": "locked"}, {"blobs": "gone"}):
        report = await health(**values).report()

        assert (report.ready, report.down) == (False, [*values])


async def test_an_index_that_no_longer_follows_is_down():
    report = await health(stalled=["legal"]).report()

    assert report.states["index:legal"] == "no longer follows"
    assert not report.ready


async def test_background_work_that_has_ended_is_down():
    async def ends():
        return

    async def goes_on():
        await asyncio.Event().wait()

    tasks = {"worker": asyncio.create_task(ends()), "housekeeping": asyncio.create_task(goes_on())}
    await tasks["worker"]
    watched = health()
    watched.watch(tasks)

    report = await watched.report()
    tasks["housekeeping"].cancel()

    assert (report.ready, report.down) == (False, ["worker"])
    assert report.states["worker"] == "has stopped"


async def test_what_does_not_answer_in_time_is_down(monkeypatch):
    class Hanging:
        async def ping(self):
            await asyncio.sleep(600)

    monkeypatch.setattr(health_module, "PATIENCE_S", 0.01)

    report = await health(caches={"default": Hanging()}).report()

    assert report.states["cache"] == "down: it does not answer within 0.01 s"
    assert report.ready
