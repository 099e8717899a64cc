"""`rag worker`."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import threading

import structlog
from prometheus_client import start_http_server

from orchestrator.settings import Settings, load
from orchestrator.telemetry import logs
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.reporting import Reporter
from orchestrator.wiring import open_application

log = structlog.get_logger(__name__)


async def work() -> None:
    """Index what is handed in until told to stop; what is unfinished then goes back at once."""
    settings, metrics, stopped = load(), Metrics(), _stopped()
    logs.set_up(settings.log_level)
    if settings.worker.metrics_port:
        start_http_server(settings.worker.metrics_port, settings.host, metrics.registry)
    await _run(settings, Telemetry(metrics), stopped)


async def work_attached() -> None:
    """The same for the server that started this process, for as long as it holds on to it."""
    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the process that started this one
    logs.set_up(settings.log_level)
    os.nice(settings.worker.niceness)
    stopped, loop = _stopped(), asyncio.get_running_loop()
    threading.Thread(target=_until_let_go, args=(loop, stopped), daemon=True).start()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody else is to write there
        await _run(settings, Reporter(Metrics(), told), stopped)


async def _run(settings: Settings, telemetry: Telemetry, stopped: asyncio.Event) -> None:
    async with open_application(
        settings, writes=False, seeds=False, telemetry=telemetry
    ) as application:
        application.parsers.warm()
        if isinstance(telemetry, Reporter):
            telemetry.ready()
        log.info("worker_started", profile=settings.profile)
        tasks = [asyncio.create_task(one()) for one in application.labour.values()]
        ended = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in [*tasks, ended]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        for one in found:
            if isinstance(one, Exception):
                raise one
        log.info("worker_stopped")


def _stopped() -> asyncio.Event:
    """Set when this process is told to end."""
    stopped = asyncio.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, stopped.set)
    return stopped


def _until_let_go(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):  # a buffered read would hold a lock when Python ends
        pass
    loop.call_soon_threadsafe(stopped.set)
