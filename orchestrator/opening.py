"""Everything that the settings name, open: what the use cases are made of."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from adapters.catalog.sql import SqlCatalog
from adapters.lease import FileLease
from adapters.parser.frames import Order
from adapters.parser.limits import Limits
from adapters.parser.sandbox import ParserSandbox, open_sandbox
from adapters.retriever.mock import OverlapStore
from adapters.web.fetching import open_web
from adapters.web.places import AllowedPlaces
from orchestrator import backends
from orchestrator.assembly import Backends
from orchestrator.chaining import Pulse, chained, resilient
from orchestrator.domain.errors import Misconfigured
from orchestrator.generators import open_generator, open_language_model
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.generator import Generator
from orchestrator.ports.measured import Measured
from orchestrator.ports.queue import Queue
from orchestrator.ports.rewriter import Conversant, Rewriter
from orchestrator.ports.scanner import Scanner
from orchestrator.ports.web import Places, Web
from orchestrator.resilience.fallback import Link
from orchestrator.settings import Settings, options
from orchestrator.settings.generators import ExtractiveGeneratorOptions, LanguageOptions
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.telemetry.timed import (
    TimedCache,
    TimedConversant,
    TimedEmbedder,
    TimedGenerator,
    TimedMeasured,
    TimedReranker,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept, and the right to write what is kept on this machine."""

    lease: FileLease
    catalog: Catalog
    queue: Queue
    blobs: BlobStore
    quarantined: BlobStore


@dataclass(frozen=True, slots=True)
class Parts:
    """An open deployment, before any use case is made of it."""

    settings: Settings
    telemetry: Telemetry
    stores: Stores
    parsers: ParserSandbox
    backends: Backends
    scanner: Scanner
    web: Web
    places: Places


async def open_parts(
    settings: Settings, telemetry: Telemetry, stack: AsyncExitStack, *, writes: bool
) -> Parts:
    """Open them in order; the stack closes them in reverse.

    Raises:
        Misconfigured: when the deployment cannot be opened as configured.
    """
    _require_folder(settings)
    stores = await _open_stores(settings, stack, writes=writes)
    parsers = await _open_parsers(settings, stack)
    opened = await _open_backends(settings, stack, telemetry.metrics)
    web = await _open_web(settings, stack)
    return Parts(
        settings=settings,
        telemetry=telemetry,
        stores=stores,
        parsers=parsers,
        backends=opened,
        scanner=backends.open_scanner(settings.scanner),
        web=web,
        places=AllowedPlaces(settings.sources.roots, settings.sources.url_prefixes, web),
    )


def _require_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"the data folder '{settings.data_dir}': {error.strerror}") from error
    if not os.access(settings.data_dir, os.W_OK):
        raise Misconfigured(f"the data folder '{settings.data_dir}' cannot be written to")


async def _open_stores(settings: Settings, stack: AsyncExitStack, *, writes: bool) -> Stores:
    lease = FileLease(settings.indexes_dir / "lease")
    stack.callback(lease.release)
    if writes and not lease.acquire():
        log.info("lease_taken", effect="local indexes are kept in memory by this process")
    if lease.held:  # a restoration that was killed left copies of the catalog
        await asyncio.to_thread(shutil.rmtree, settings.restoring_dir, ignore_errors=True)
    database = await backends.open_database(settings.catalog, settings, stack)
    return Stores(
        lease,
        SqlCatalog(database),
        await backends.open_queue(settings.queue, database, settings, stack),
        await backends.open_blobs(settings.blobs, "blobs", settings, stack),
        await backends.open_blobs(settings.blobs, "quarantine", settings, stack),
    )


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
    guarded = {
        name: resilient(await open_language_model(chosen, stack), name, chosen, metrics)
        for name, chosen in settings.named("generator").items()
        if isinstance(chosen, LanguageOptions)
    }
    models = {name: model for name, (model, _) in guarded.items()}
    pulses = {name: pulse for name, (_, pulse) in guarded.items()}
    generators = {
        name: open_generator(chosen, embedders, models.get(name))
        for name, chosen in settings.named("generator").items()
    }
    return Backends(
        caches={
            name: TimedCache(await backends.open_cache(chosen, stack), watch)
            for name, chosen in settings.named("cache").items()
        },
        embedders=embedders,
        vectors={
            name: backends.open_vectors(chosen, name, settings, stack)
            for name, chosen in settings.named("vectors").items()
        },
        keywords={
            name: backends.open_keywords(chosen, name, settings, stack)
            for name, chosen in settings.named("keywords").items()
        },
        rerankers={
            name: TimedReranker(await backends.open_reranker(chosen, stack), watch)
            for name, chosen in settings.named("reranker").items()
        },
        generators={
            name: TimedGenerator(one, watch, metrics.first_token_seconds)
            for name, one in _chained(settings, generators, pulses, embedders, metrics).items()
        },
        overlap=OverlapStore() if mocked else None,
        models=models,
        rewriters={name: one for name, one in generators.items() if isinstance(one, Rewriter)},
        pulses=pulses,
        conversants={
            name: TimedConversant(one, watch)
            for name, one in generators.items()
            if isinstance(one, Conversant)
        },
        measured={
            name: TimedMeasured(one, watch)
            for name, one in generators.items()
            if isinstance(one, Measured)
        },
    )


def _chained(
    settings: Settings,
    generators: Mapping[str, Generator],
    pulses: Mapping[str, Pulse],
    embedders: Mapping[str, Embedder],
    metrics: Metrics,
) -> Mapping[str, Generator]:
    quoting = ExtractiveGeneratorOptions(kind="extractive")
    last = Link("extractive", quoting.kind, open_generator(quoting, embedders))
    return chained(settings.named("generator"), generators, pulses, last, metrics)


async def _open_web(settings: Settings, stack: AsyncExitStack) -> Web:
    chosen = settings.web
    opened = open_web(
        chosen.allowed_networks, page_bytes=chosen.max_page_bytes, timeout_s=chosen.page_timeout_s
    )
    return await stack.enter_async_context(opened)
