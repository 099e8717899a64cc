"""Worker processes: kept alive, heard, and told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from orchestrator import workforce as workforce_module
from orchestrator.domain.errors import RagError, Unavailable
from orchestrator.ingestion.worker import Ingested
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.reporting import Reporter, heed
from orchestrator.workforce import Workforce
from tests.unit.fakes import until

CHILD = """
import os, pickle, sys
settings = pickle.load(sys.stdin.buffer)
print('{"what": "ready"}', flush=True)
print(%r, flush=True)
sys.stdin.buffer.read()
"""


@pytest.fixture
def telemetry():
    return Telemetry(Metrics(CollectorRegistry()))


@pytest.fixture
def hire(telemetry, tmp_path, monkeypatch):
    """Start a workforce whose processes run this code; stopped at the end."""
    monkeypatch.setattr(workforce_module, "FIRST_WAIT_S", 0.01)
    working = []

    def hired(code, **options):
        monkeypatch.setattr(workforce_module, "COMMAND", (sys.executable, "-c", code))
        settings = load(profile="mock", data_dir=tmp_path, worker={"stop_s": 5, **options})
        force = Workforce(settings, telemetry)
        working.append(asyncio.create_task(force.run()))
        return force, working[-1]

    return hired


def counted(telemetry, **labels):
    return telemetry.metrics.registry.get_sample_value("rag_documents_total", labels)


async def stopped(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_a_process_tells_is_counted_here(hire, telemetry):
    said = json.dumps(
        {"what": "ingested", "document_id": "d", "media_type": "text/plain", "size": 3}
    )
    _, running = hire(CHILD % said)

    await until(lambda: counted(telemetry, outcome="indexed", format="text") == 1)

    await stopped(running)


async def test_as_many_run_as_are_wanted_and_none_after_the_end(hire):
    force, running = hire(CHILD % "", processes=2)
    await until(lambda: len(force.pids) == 2)
    await force.ping()
    pids = force.pids

    await stopped(running)

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(Unavailable):
        await force.ping()


async def test_one_that_dies_is_replaced(hire):
    force, running = hire(CHILD % "")
    await until(lambda: force.pids)
    (first,) = force.pids

    os.kill(first, 9)
    await until(lambda: force.pids not in ([], [first]))

    await stopped(running)


@pytest.mark.parametrize(
    "said",
    [
        "no json",
        '"text"',
        "{}",
        '{"what": "ingested", "colour": "red"}',
        '{"what": "worked", "documents": "many", "seconds": 1}',
        "x" * (workforce_module.LINE_BYTES + 10),
    ],
    ids=["words", "no object", "nothing", "an unknown field", "a wrong type", "a line too long"],
)
async def test_nothing_that_a_process_says_ends_the_workforce(hire, said):
    _, running = hire(CHILD % said)

    await asyncio.sleep(0.5)

    assert not running.done()
    await stopped(running)


async def test_one_that_does_not_stop_is_killed(hire):
    code = CHILD.replace("sys.stdin.buffer.read()", "import time; time.sleep(600)") % ""
    force, running = hire(code, stop_s=0.2)
    await until(lambda: force.pids)

    async with asyncio.timeout(60):
        await stopped(running)

    assert force.pids == []


async def test_a_process_that_cannot_be_started_is_tried_again(hire, monkeypatch):
    force, running = hire(CHILD % "")
    await until(lambda: force.pids)
    (first,) = force.pids
    working = workforce_module.COMMAND
    monkeypatch.setattr(workforce_module, "COMMAND", ("/nowhere/python",))
    os.kill(first, 9)
    await asyncio.sleep(0.2)

    monkeypatch.setattr(workforce_module, "COMMAND", working)
    await until(lambda: force.pids not in ([], [first]))

    await stopped(running)


def test_what_is_reported_is_what_is_heard(telemetry, tmp_path):
    with (tmp_path / "told").open("wb") as sink:
        reporter = Reporter(Metrics(CollectorRegistry()), sink)
        reporter.ready()
        reporter.ingested(Ingested("d", "application/pdf", 5, {"parsing": 0.5}, 1))
        reporter.worked(4, 2.0)
        reporter.worker_waits(RagError("blobs are away"))

    before = telemetry.pace.estimate(1)
    for line in (tmp_path / "told").read_bytes().splitlines():
        heed(line, telemetry)

    assert counted(telemetry, outcome="partial", format="pdf") == 1
    assert telemetry.pace.estimate(1) < before


def test_a_reporter_whose_listener_is_gone_goes_on():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as sink:
        with pytest.raises(BrokenPipeError):
            sink.write(b"nobody reads this")
        Reporter(Metrics(CollectorRegistry()), sink).ready()

        assert not sink.closed


def test_a_worker_process_imports_nothing_from_the_folder_it_is_started_in(tmp_path):
    (tmp_path / "queue.py").write_text("raise SystemExit('imported from the folder')")
    command = [*workforce_module.COMMAND[:2], "-c", "import queue, orchestrator; print('sound')"]

    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=workforce_module._environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stdout == "sound\n", ended.stderr
