"""The worker processes that a server starts, and keeps alive for as long as it lives itself."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from orchestrator.domain.errors import Unavailable
from orchestrator.settings import Settings
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.reporting import heed

log = structlog.get_logger(__name__)

ROOT: Final = Path(__file__).resolve().parents[1]
COMMAND: Final = (sys.executable, "-P", "-m", "orchestrator.cli", "worker", "--attached")
LINE_BYTES: Final = 1 << 20
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
SOUND_S: Final = 10.0
"""A process that lived so long is replaced at once, not later each time."""


class Workforce:
    """Runs `rag worker` as often as the settings say.

    A process is handed its settings on its standard input, whose end tells it to stop: also when
    the server is killed. On its standard output it tells what it does.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._alive: set[asyncio.subprocess.Process] = set()

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        return [one.pid for one in self._alive]

    async def run(self) -> None:
        """Keep them all alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.worker.processes):
                group.create_task(self._keep())

    async def ping(self) -> None:
        """Say whether any works.

        Raises:
            Unavailable: when none does.
        """
        if not self._alive:
            raise Unavailable("the worker", "no process of it runs")

    async def _keep(self) -> None:
        loop, wait = asyncio.get_running_loop(), FIRST_WAIT_S
        while True:
            began = loop.time()
            try:
                async with self._started() as process:
                    await self._listen(process)
                    status = await process.wait()
            except OSError as error:
                log.error("worker_not_started", error=error.strerror)
            except ValueError as error:  # a line without end
                log.error("worker_not_understood", error=str(error))
            else:
                log.error("worker_ended", pid=process.pid, status=status)
            sound = loop.time() - began > SOUND_S
            wait = FIRST_WAIT_S if sound else min(2 * wait, LONGEST_WAIT_S)
            await asyncio.sleep(wait)

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
            env=_environment(),
            start_new_session=True,  # an interrupt at the terminal is for the server alone
        )
        try:
            assert process.stdin
            process.stdin.write(pickle.dumps(self._settings))
            yield process
        finally:
            self._alive.discard(process)
            await self._end(process)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        async for line in process.stdout:
            self._alive.add(process)  # what speaks has been opened
            try:
                heed(line, self._telemetry)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("worker_not_understood", error=repr(error))

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        assert process.stdin
        process.stdin.close()
        try:
            async with asyncio.timeout(self._settings.worker.stop_s):
                await process.wait()
        except TimeoutError:
            log.warning("worker_killed", pid=process.pid)
            process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """This process's own; the packages are those of this process, wherever it was started."""
    further = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *([further] if further else [])]),
    }
