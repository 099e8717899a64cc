"""The wiring: what the settings name, opened, to use cases; and closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from adapters.parser.sandbox import ParserSandbox
from adapters.retriever.mock import read_corpus
from orchestrator.answering.service import Answering
from orchestrator.assembly import Assembly, Backends
from orchestrator.domain.analytics import Policy
from orchestrator.domain.errors import Misconfigured, Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.domain.quotas import UNLIMITED
from orchestrator.health import Health
from orchestrator.housekeeping import Housekeeping
from orchestrator.indexing.library import Library
from orchestrator.indexing.preparing import Preparer
from orchestrator.ingestion import errands
from orchestrator.ingestion.dispatching import Dispatcher
from orchestrator.ingestion.intake import Bounds, Intake
from orchestrator.ingestion.purging import Purger
from orchestrator.ingestion.quarantine import Quarantine
from orchestrator.ingestion.records import Records
from orchestrator.ingestion.reindexer import Reindexer
from orchestrator.ingestion.reindexing import Reindexings
from orchestrator.ingestion.scanning import Scanned
from orchestrator.ingestion.service import Ingestion
from orchestrator.ingestion.withdrawal import Withdrawals
from orchestrator.ingestion.worker import Worker
from orchestrator.opening import Parts, open_parts
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.health import Pingable
from orchestrator.ports.queue import Queue
from orchestrator.settings import Settings, options
from orchestrator.settings.tree import profiles_folder
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.recorder import Recorder
from orchestrator.workforce import Workforce


@dataclass(frozen=True, slots=True)
class Application:
    """An open deployment: its use cases, and the parts that a process may run beside them."""

    settings: Settings
    catalog: Catalog
    library: Library
    assembly: Assembly
    backends: Backends
    answering: Answering
    ingestion: Ingestion
    intake: Intake
    withdrawals: Withdrawals
    queue: Queue
    runner: errands.Runner
    reindexer: Reindexer
    reindexings: Reindexings
    preparer: Preparer
    records: Records
    workers: Sequence[Worker]
    dispatcher: Dispatcher
    parsers: ParserSandbox
    workforce: Workforce
    housekeeping: Housekeeping
    health: Health
    metrics: Metrics
    recorder: Recorder
    persists: bool

    @property
    def worker(self) -> Worker:
        """The first of them, which does everything where it is alone."""
        return self.workers[0]

    @property
    def labour(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What works on documents, in whichever process the settings place it."""
        return {
            **{f"worker {n}": one.run for n, one in enumerate(self.workers[1:], start=2)},
            "worker": self.worker.run,
            "runner": self.runner.run,
            "reindexer": self.reindexer.run,
            "dispatcher": self.dispatcher.run,
        }


@asynccontextmanager
async def open_application(
    settings: Settings, *, writes: bool, seeds: bool = True, telemetry: Telemetry | None = None
) -> AsyncIterator[Application]:
    """Open everything that the settings name, in order; close it in reverse.

    With `writes`, take the lease to persist local indexes if it is free; with `seeds`, give an
    untouched default workspace the mock retriever's corpus.

    Raises:
        Misconfigured: when the deployment cannot be opened as configured.
    """
    async with AsyncExitStack() as stack:
        parts = await open_parts(settings, telemetry or Telemetry(Metrics()), stack, writes=writes)
        application = _assembled(parts, stack)
        await application.ingestion.ensure_workspace(DEFAULT_WORKSPACE, settings.workspace)
        if seeds:
            await _seed(application)
        yield application


def _assembled(parts: Parts, stack: AsyncExitStack) -> Application:
    settings, stores, telemetry = parts.settings, parts.stores, parts.telemetry
    assembly = Assembly(settings, parts.backends, stores.catalog, telemetry.metrics)
    _check_defaults(settings, assembly)
    library = _library(parts, assembly)
    stack.push_async_callback(library.close)
    purger = _purger(parts, library)
    withdrawals = Withdrawals(stores.catalog, purger, telemetry)
    stack.push_async_callback(withdrawals.close)
    ingestion = _ingestion(parts, library)
    runner = _runner(parts, ingestion)
    return Application(
        settings=settings,
        catalog=stores.catalog,
        library=library,
        assembly=assembly,
        backends=parts.backends,
        answering=Answering(
            library,
            assembly.pipeline,
            assembly.retriever,
            assembly.words,
            stores.catalog.sessions,
        ),
        ingestion=ingestion,
        intake=_intake(parts, ingestion, runner),
        withdrawals=withdrawals,
        queue=stores.queue,
        runner=runner,
        reindexer=_reindexer(parts, assembly),
        reindexings=Reindexings(stores.catalog, assembly.embedder),
        preparer=_preparer(parts, library, assembly),
        records=Records(stores.catalog, stores.blobs, ingestion.arrived),
        workers=[_worker(parts, assembly, ingestion) for _ in range(parts.parsers.processes)],
        dispatcher=Dispatcher(stores.queue, ingestion.arrived, telemetry),
        parsers=parts.parsers,
        workforce=Workforce(settings, telemetry),
        housekeeping=Housekeeping(
            purger,
            library,
            stores.lease,
            stores.catalog.sessions,
            retention=timedelta(days=settings.sessions.retention_days),
        ),
        health=_health(parts, library),
        metrics=telemetry.metrics,
        recorder=Recorder(
            stores.catalog.analytics,
            stores.catalog.workspaces,
            Policy(**settings.analytics.model_dump()),
            telemetry.metrics,
        ),
        persists=stores.lease.held,
    )


def _library(parts: Parts, assembly: Assembly) -> Library:
    """The library of the assembly's projections, which from now on knows it in turn."""
    stores = parts.stores
    library = Library(
        stores.catalog,
        assembly.open_projections,
        parts.telemetry,
        persists=lambda: stores.lease.held,
    )
    assembly.library = library
    return library


def _purger(parts: Parts, library: Library) -> Purger:
    stores, opened = parts.stores, parts.backends
    return Purger(
        stores.catalog,
        [stores.blobs, stores.quarantined],
        list(opened.caches.values()),
        [*opened.vectors.values(), *opened.keywords.values()],
        library,
        persists=lambda: stores.lease.held,
    )


def _ingestion(parts: Parts, library: Library) -> Ingestion:
    settings, stores = parts.settings, parts.stores
    return Ingestion(
        stores.catalog,
        stores.blobs,
        parts.parsers,
        library,
        max_bytes=settings.http.max_upload_bytes,
        quota_of=settings.quota_of,
        pace=parts.telemetry.pace,
    )


def _worker(parts: Parts, assembly: Assembly, ingestion: Ingestion) -> Worker:
    stores = parts.stores
    return Worker(
        stores.catalog,
        stores.blobs,
        stores.queue,
        Scanned(parts.parsers, parts.scanner),
        assembly.embedder,
        parts.telemetry,
        ingestion.arrived,
        Quarantine(stores.quarantined, stores.blobs, stores.catalog.documents),
        parallel=parts.parsers.processes,
    )


def _reindexer(parts: Parts, assembly: Assembly) -> Reindexer:
    stores = parts.stores
    return Reindexer(
        stores.catalog,
        stores.blobs,
        parts.parsers,
        assembly.embedder,
        parts.telemetry,
        parallel=parts.parsers.processes,
    )


def _preparer(parts: Parts, library: Library, assembly: Assembly) -> Preparer:
    stores, opened = parts.stores, parts.backends
    return Preparer(
        stores.catalog,
        library,
        assembly.roles,
        [*opened.vectors.values(), *opened.keywords.values()],
        parts.telemetry,
        persists=lambda: stores.lease.held,
    )


def _runner(parts: Parts, ingestion: Ingestion) -> errands.Runner:
    settings, stores = parts.settings, parts.stores
    return errands.Runner(
        stores.catalog,
        stores.queue,
        ingestion,
        parts.web,
        parts.places,
        parts.telemetry,
        errands.Limits(settings.queue.max_jobs, settings.web.crawl_timeout_s, settings.web.delay_s),
    )


def _intake(parts: Parts, ingestion: Ingestion, runner: errands.Runner) -> Intake:
    settings, stores = parts.settings, parts.stores
    bounds = Bounds(
        max_jobs=settings.queue.max_jobs,
        max_files=settings.http.max_batch_files,
        max_pages=settings.web.max_pages,
        max_depth=settings.web.max_depth,
        crawl=settings.web.crawl,
    )
    return Intake(stores.catalog, stores.queue, ingestion, parts.places, runner, bounds)


def _health(parts: Parts, library: Library) -> Health:
    stores = parts.stores
    return Health(
        stores.catalog,
        stores.blobs,
        parts.backends.caches,
        library,
        {
            "parser": parts.parsers,
            "scanner": parts.scanner,
            "queue": stores.queue,
            "ingestion": parts.telemetry,
            **_by_stage("vectors", parts.backends.vectors),
            **_by_stage("keywords", parts.backends.keywords),
            **_by_stage("generator", parts.backends.pulses),
        },
    )


def _by_stage(stage: str, stores: Mapping[str, object]) -> Mapping[str, object]:
    """The stores that have a server behind them, as health names them."""
    return {
        stage if name == "default" else f"{stage}:{name}": store
        for name, store in stores.items()
        if isinstance(store, Pingable)
    }


def _check_defaults(settings: Settings, assembly: Assembly) -> None:
    try:
        assembly.check(settings.workspace)
    except Rejected as error:
        raise Misconfigured(error.detail) from error


async def _seed(application: Application) -> None:
    chosen = application.settings.retriever
    if not isinstance(chosen, options.MockRetrieverOptions):
        return
    workspace = await application.catalog.workspaces.get(DEFAULT_WORKSPACE)
    if workspace.revision > 0:
        return
    for upload in read_corpus(chosen.corpus or profiles_folder() / "mock-corpus.json"):
        await application.ingestion.submit(DEFAULT_WORKSPACE, upload, quota=UNLIMITED)
    while await application.worker.step():
        pass
