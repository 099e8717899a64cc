"""`rag ingest`."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator import backends
from orchestrator.cli.console import Exit, err
from orchestrator.cli.handing import Handing
from orchestrator.cli.outcomes import Summary, report
from orchestrator.cli.progress import Course, Display
from orchestrator.cli.sources import Gathering, Said
from orchestrator.domain.errors import RagError, Rejected
from orchestrator.domain.filters import Scalar
from orchestrator.domain.identity import EVERYONE
from orchestrator.settings import Settings, load
from orchestrator.telemetry import logs
from orchestrator.wiring import Application, open_application

PATIENCE_S: Final = 10.0
"""So long a server that holds the lease does the work alone, before this process helps."""
AGAIN: Final = "the same command goes on from here"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call names: paths and globs, manifests, and what is said of each document."""

    paths: Sequence[Path]
    manifests: Sequence[Path] = ()
    said: Said = field(default_factory=Said)
    whole: bool = False


async def ingest(wanted: Wanted, workspace: str, as_json: bool) -> Exit:
    """Submit every document, follow all to their end, and say what became of each."""
    settings = load()
    logs.set_up("error", json=False)
    summary, began = Summary(), time.monotonic()
    gathering = _gathered(wanted, settings, summary)
    course = Course(len(gathering.sources))
    _end_by(signal.SIGTERM)
    try:
        async with open_application(settings, writes=True) as application:
            await application.ingestion.ensure_workspace(workspace, settings.workspace)
            with Display(course, err, quiet=as_json) as display:
                archives = backends.archives(settings)
                handing = Handing(application, workspace, archives, summary, display)
                await _beside_a_worker(application, handing, gathering)
            await application.library.settle(workspace)
    except asyncio.CancelledError:
        summary.interrupted = True
    except RagError:
        if course.done:
            err.print(f"stopped after {course.done:,} of {course.documents:,} documents; {AGAIN}")
        raise
    summary.seconds = round(time.monotonic() - began, 2)
    report(summary, as_json)
    if summary.interrupted and not as_json:
        err.print(f"interrupted after {course.done:,} of {course.documents:,} documents; {AGAIN}")
    return Exit.FAILED if summary.failed or summary.interrupted else Exit.OK


def said_of_all(acl: Sequence[str], metadata: Sequence[str]) -> Said:
    """Groups, and metadata as `key=value`; a key that comes twice has a list of values.

    Raises:
        Rejected: for what is no such pair.
    """
    values: dict[str, list[Scalar]] = defaultdict(list)
    for pair in metadata:
        key, equals, value = pair.partition("=")
        if not key.strip() or not equals:
            raise Rejected(f"'{pair}' is not of the form key=value")
        values[key.strip()].append(_scalar(value))
    return Said(
        metadata={key: some if len(some) > 1 else some[0] for key, some in values.items()},
        acl=frozenset(acl or [EVERYONE]),
    )


def _scalar(text: str) -> Scalar:
    """A number, `true`, `false` or a quoted text as JSON has it; anything else is text."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, str | int | float | bool) else text


def _gathered(wanted: Wanted, settings: Settings, summary: Summary) -> Gathering:
    archives = () if wanted.whole else backends.archives(settings)
    gathering = Gathering(summary, archives, wanted.said)
    for path in wanted.paths:
        gathering.place(path)
    for manifest in wanted.manifests:
        gathering.manifest(manifest)
    return gathering


def _end_by(number: signal.Signals) -> None:
    """Let a signal interrupt this task as Ctrl-C does."""
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _beside_a_worker(
    application: Application, handing: Handing, gathering: Gathering
) -> None:
    """Hand all over while this process works on it, too; a worker's own end is an error."""
    worker = asyncio.create_task(_work(application))
    handed = asyncio.create_task(handing.run(gathering.sources.values()))
    try:
        await asyncio.wait({worker, handed}, return_when=asyncio.FIRST_COMPLETED)
        await (handed if handed.done() else worker)
    finally:
        worker.cancel()
        handed.cancel()
        await asyncio.gather(worker, handed, return_exceptions=True)


async def _work(application: Application) -> None:
    """Work at once where this process holds the lease, else after another has had its chance."""
    if not application.persists:
        await asyncio.sleep(PATIENCE_S)
    await asyncio.gather(*(worker.run() for worker in application.workers))
