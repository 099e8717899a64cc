"""Steps of documents that wait, are given up, or take long."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import Deploy, World, named, wait_for
from orchestrator.contracts.claims import taken
from orchestrator.domain.documents import ParsedDocument, Stage
from orchestrator.ports.parser import Progress
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application

scenarios("ingestion_queue.feature")

ELSEWHERE = {"RAG_WORKER__PLACEMENT": "external"}
WORK_S = 90.0


class Halting:
    """Parsers that halt halfway through a document until they may go on."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.on = threading.Event()

    async def parse(self, file: Any, media_type: str, *, progress: Progress) -> ParsedDocument:
        progress(1, 2)
        await asyncio.to_thread(self.on.wait)
        return await self.inner.parse(file, media_type)


class Elsewhere:
    """What `rag worker` opens beside the service, once it is asked to do something."""

    def __init__(self, world: World, runner: asyncio.Runner, stack: AsyncExitStack) -> None:
        self.world = world
        self.runner = runner
        self.stack = stack
        self.application: Application | None = None

    def run(self, work: Callable[[Application], Awaitable[None]]) -> None:
        self.runner.run(asyncio.wait_for(self._run(work), WORK_S))

    async def _run(self, work: Callable[[Application], Awaitable[None]]) -> None:
        if self.application is None:
            settings = self.world.service.settings
            telemetry = Telemetry(Metrics(CollectorRegistry()))
            self.application = await self.stack.enter_async_context(
                open_application(settings, writes=False, seeds=False, telemetry=telemetry)
            )
        await work(self.application)


@pytest.fixture
def halting(world: World) -> Iterator[Halting]:
    workers: list[Any] = list(world.service.application.workers)
    halting = Halting(workers[0]._parsers)
    for worker in workers:  # whichever takes it
        worker._parsers = halting
    yield halting
    halting.on.set()
    for worker in workers:
        worker._parsers = halting.inner


@pytest.fixture
def elsewhere(world: World) -> Iterator[Elsewhere]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield Elsewhere(world, runner, stack)
        runner.run(stack.aclose())


def rag(world: World, *words: str) -> str:
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    command = [Path(sys.executable).with_name("rag"), *words]
    ended = subprocess.run(
        command, env={**plain, **world.service.variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def read(world: World, source_id: str) -> dict[str, Any]:
    path = f"/v1/documents/{world.ids[world.workspace, source_id]}"
    found: dict[str, Any] = world.service.http.get(path).json()
    return found


@given("a deployment whose workers are elsewhere")
def workers_elsewhere(world: World, deploy: Deploy) -> None:
    world.service = deploy(ELSEWHERE)


@given(parsers.parse("a deployment whose workers are elsewhere, and whose queue holds {most:d}"))
def short_queue(world: World, deploy: Deploy, most: int) -> None:
    world.service = deploy({**ELSEWHERE, "RAG_QUEUE__MAX_JOBS": str(most)})


@when(named('I send "{source_id}" saying "{text}"'))
def send(world: World, source_id: str, text: str) -> None:
    world.send(source_id, text)


@when(named('I send "{source_id}", which takes long from its half on'))
def send_long(world: World, halting: Halting, source_id: str) -> None:
    world.accepted(world.send(source_id, "It is long."))


@when("it takes no longer")
def no_longer(halting: Halting) -> None:
    halting.on.set()


@when(parsers.parse("{count:d} workers die over it"))
def workers_die(elsewhere: Elsewhere, count: int) -> None:
    async def dying(application: Application) -> None:
        for _ in range(count):
            name = uuid.uuid4().hex
            while not await taken(application.queue, name, limit=1, seconds=60):
                pass
            await application.queue.release(name)

    elsewhere.run(dying)


@when("a worker does what waits")
def worker_works(elsewhere: Elsewhere) -> None:
    async def working(application: Application) -> None:
        while await application.catalog.documents.waiting():
            await application.queue.dispatch()
            await application.worker.step()

    elsewhere.run(working)


@when(named('I run "rag {line}"'))
def run(world: World, line: str) -> None:
    rag(world, *line.split())


@then(named('"{source_id}" has failed with the code "{code}"'))
def failed(world: World, source_id: str, code: str) -> None:
    found = read(world, source_id)
    assert (found["status"], found["error_code"]) == ("failed", code)


@then(named('"{source_id}" is {status}'))
def has_status(world: World, source_id: str, status: str) -> None:
    wait_for(lambda: read(world, source_id)["status"] == status, f"it was never {status}")


@then(named('"rag jobs --dead" lists "{source_id}", as a worker "{reason}"'))
def lists_dead(world: World, source_id: str, reason: str) -> None:
    (letter,) = json.loads(rag(world, "jobs", "--dead", "--json"))
    assert letter["document_id"] == world.ids[world.workspace, source_id]
    assert letter["reason"] == reason


@then("nothing is given up any more")
def none_dead(elsewhere: Elsewhere) -> None:
    async def looking(application: Application) -> None:
        assert list(await application.queue.dead()) == []

    elsewhere.run(looking)


@then(named("these are indexed, once each: {documents}"))
def all_indexed(world: World, documents: str) -> None:
    def listed() -> bool:
        found = sorted((one["source_id"], one["status"]) for one in world.listed())
        return found == [(one, "indexed") for one in documents.split(", ")]

    wait_for(listed, "they were not all indexed")


@then(named('the progress of "{source_id}" comes to be half of its parsing'))
def half(world: World, source_id: str) -> None:
    middle = (Stage.PARSING.progress + Stage.PARSING.end) / 2
    wait_for(lambda: read(world, source_id)["progress"] == pytest.approx(middle), "it stood still")
    assert read(world, source_id)["stage"] == "parsing"
