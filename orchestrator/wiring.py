"""The wiring: settings to open adapters to use cases. Whatever is opened here is closed here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from adapters.catalog.sql import SqlCatalog
from adapters.lease import FileLease
from adapters.parser.frames import Order
from adapters.parser.limits import Limits
from adapters.parser.sandbox import ParserSandbox, open_sandbox
from adapters.retriever.mock import OverlapStore, read_corpus
from adapters.web.fetching import open_web
from adapters.web.places import AllowedPlaces
from orchestrator import backends
from orchestrator.answering.service import Answering
from orchestrator.assembly import Assembly, Backends
from orchestrator.domain.errors import Misconfigured, Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.domain.quotas import UNLIMITED
from orchestrator.health import Health
from orchestrator.housekeeping import Housekeeping
from orchestrator.indexing.library import Library
from orchestrator.ingestion import errands
from orchestrator.ingestion.dispatching import Dispatcher
from orchestrator.ingestion.intake import Bounds, Intake
from orchestrator.ingestion.purging import Purger
from orchestrator.ingestion.quarantine import Quarantine
from orchestrator.ingestion.records import Records
from orchestrator.ingestion.scanning import Scanned
from orchestrator.ingestion.service import Ingestion
from orchestrator.ingestion.worker import Worker
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import Queue
from orchestrator.settings import Settings, options
from orchestrator.settings.tree import profiles_folder
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.timed import (
    TimedCache,
    TimedEmbedder,
    TimedGenerator,
    TimedReranker,
)
from orchestrator.workforce import Workforce

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Application:
    """An open deployment: its use cases, and the parts that a process may run beside them."""

    settings: Settings
    catalog: Catalog
    library: Library
    assembly: Assembly
    answering: Answering
    ingestion: Ingestion
    intake: Intake
    queue: Queue
    runner: errands.Runner
    records: Records
    worker: Worker
    dispatcher: Dispatcher
    parsers: ParserSandbox
    workforce: Workforce
    housekeeping: Housekeeping
    health: Health
    metrics: Metrics
    persists: bool

    @property
    def labour(self) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What works on documents, in whichever process the settings place it."""
        return {
            "worker": self.worker.run,
            "runner": self.runner.run,
            "dispatcher": self.dispatcher.run,
        }


@dataclass(frozen=True, slots=True)
class _Stores:
    lease: FileLease
    catalog: Catalog
    queue: Queue
    blobs: BlobStore
    quarantined: BlobStore


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
    _require_folder(settings)
    telemetry = telemetry or Telemetry(Metrics())
    async with AsyncExitStack() as stack:
        stores = await _open_stores(settings, stack, writes=writes)
        parsers = await _open_parsers(settings, stack)
        opened = await _open_backends(settings, stack, telemetry.metrics)
        application = await _assembled(settings, stack, stores, parsers, opened, telemetry)
        await application.ingestion.ensure_workspace(DEFAULT_WORKSPACE, settings.workspace)
        if seeds:
            await _seed(application)
        yield application


async def _assembled(
    settings: Settings,
    stack: AsyncExitStack,
    stores: _Stores,
    parsers: ParserSandbox,
    opened: Backends,
    telemetry: Telemetry,
) -> Application:
    catalog, lease = stores.catalog, stores.lease
    scanner = backends.open_scanner(settings.scanner)
    assembly = Assembly(settings, opened, catalog, telemetry.metrics)
    _check_defaults(settings, assembly)
    library = Library(catalog, assembly.open_projections, telemetry, persists=lambda: lease.held)
    assembly.library = library
    stack.push_async_callback(library.close)
    purger = Purger(
        catalog,
        [stores.blobs, stores.quarantined],
        list(opened.caches.values()),
        [*opened.vectors.values(), *opened.keywords.values()],
        library,
        persists=lambda: lease.held,
    )
    ingestion = Ingestion(
        catalog,
        stores.blobs,
        parsers,
        library,
        purger,
        telemetry,
        max_bytes=settings.http.max_upload_bytes,
        quota_of=settings.quota_of,
        pace=telemetry.pace,
    )
    stack.push_async_callback(ingestion.close)
    worker = Worker(
        catalog,
        stores.blobs,
        stores.queue,
        Scanned(parsers, scanner),
        assembly.embedder,
        telemetry,
        ingestion.arrived,
        Quarantine(stores.quarantined, stores.blobs, catalog.documents),
        parallel=parsers.processes,
    )
    intake, runner = await _open_intake(settings, stack, stores, ingestion, telemetry)
    workforce = Workforce(settings, telemetry)
    return Application(
        settings=settings,
        catalog=catalog,
        library=library,
        assembly=assembly,
        answering=Answering(library, assembly.pipeline, assembly.retriever),
        ingestion=ingestion,
        intake=intake,
        queue=stores.queue,
        runner=runner,
        records=Records(catalog, stores.blobs, ingestion.arrived),
        worker=worker,
        dispatcher=Dispatcher(stores.queue, ingestion.arrived, telemetry),
        parsers=parsers,
        workforce=workforce,
        housekeeping=Housekeeping(purger, library, lease),
        health=Health(
            catalog,
            stores.blobs,
            opened.caches,
            library,
            {"parser": parsers, "scanner": scanner, "queue": stores.queue},
        ),
        metrics=telemetry.metrics,
        persists=lease.held,
    )


async def _open_stores(settings: Settings, stack: AsyncExitStack, *, writes: bool) -> _Stores:
    lease = FileLease(settings.indexes_dir / "lease")
    stack.callback(lease.release)
    if writes and not lease.acquire():
        log.info("lease_taken", effect="local indexes are kept in memory by this process")
    database = await backends.open_database(settings.catalog, settings, stack)
    return _Stores(
        lease,
        SqlCatalog(database),
        await backends.open_queue(settings.queue, database, settings, stack),
        await backends.open_blobs(settings.blobs, "blobs", settings, stack),
        await backends.open_blobs(settings.blobs, "quarantine", settings, stack),
    )


async def _open_intake(
    settings: Settings,
    stack: AsyncExitStack,
    stores: _Stores,
    ingestion: Ingestion,
    telemetry: Telemetry,
) -> tuple[Intake, errands.Runner]:
    catalog, queue = stores.catalog, stores.queue
    chosen, max_jobs = settings.web, settings.queue.max_jobs
    opened = open_web(
        chosen.allowed_networks, page_bytes=chosen.max_page_bytes, timeout_s=chosen.page_timeout_s
    )
    web = await stack.enter_async_context(opened)
    places = AllowedPlaces(settings.sources.roots, settings.sources.url_prefixes, web)
    limits = errands.Limits(max_jobs, chosen.crawl_timeout_s, chosen.delay_s)
    runner = errands.Runner(catalog, queue, ingestion, web, places, telemetry, limits)
    bounds = Bounds(
        max_jobs=max_jobs,
        max_files=settings.http.max_batch_files,
        max_pages=chosen.max_pages,
        max_depth=chosen.max_depth,
        crawl=chosen.crawl,
    )
    return Intake(catalog, queue, ingestion, places, runner, bounds), runner


async def _open_parsers(settings: Settings, stack: AsyncExitStack) -> ParserSandbox:
    chosen = settings.parsing
    order = Order(
        parent=os.getpid(),
        memory_bytes=chosen.memory_bytes,
        open_files=chosen.open_files,
        niceness=chosen.niceness,
        max_text_chars=chosen.max_text_chars,
    )
    limits = Limits(
        cpu_s=chosen.cpu_s,
        wall_s=chosen.wall_s,
        total_s=chosen.total_s,
        max_text_chars=chosen.max_text_chars,
        recycle_after=chosen.recycle_after,
        recycle_bytes=chosen.recycle_bytes,
    )
    processes = chosen.processes or len(os.sched_getaffinity(0))
    return await stack.enter_async_context(
        open_sandbox(order, limits, processes=processes, minimum=chosen.minimum_isolation)
    )


async def _open_backends(settings: Settings, stack: AsyncExitStack, metrics: Metrics) -> Backends:
    watch = metrics.stage_seconds
    retrievers = settings.named("retriever").values()
    mocked = any(isinstance(one, options.MockRetrieverOptions) for one in retrievers)
    embedders = {
        name: TimedEmbedder(await backends.open_embedder(chosen, settings, stack), watch)
        for name, chosen in settings.named("embedder").items()
    }
    return Backends(
        caches={
            name: TimedCache(await backends.open_cache(chosen, stack), watch)
            for name, chosen in settings.named("cache").items()
        },
        embedders=embedders,
        vectors={
            name: backends.open_vectors(chosen, name, settings)
            for name, chosen in settings.named("vectors").items()
        },
        keywords={
            name: backends.open_keywords(chosen, name, settings)
            for name, chosen in settings.named("keywords").items()
        },
        rerankers={
            name: TimedReranker(backends.open_reranker(chosen), watch)
            for name, chosen in settings.named("reranker").items()
        },
        generators={
            name: TimedGenerator(backends.open_generator(chosen, embedders), watch)
            for name, chosen in settings.named("generator").items()
        },
        overlap=OverlapStore() if mocked else None,
    )


def _check_defaults(settings: Settings, assembly: Assembly) -> None:
    try:
        assembly.check(settings.workspace)
    except Rejected as error:
        raise Misconfigured(error.detail) from error


def _require_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"the data folder '{settings.data_dir}': {error.strerror}") from error
    if not os.access(settings.data_dir, os.W_OK):
        raise Misconfigured(f"the data folder '{settings.data_dir}' cannot be written to")


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
