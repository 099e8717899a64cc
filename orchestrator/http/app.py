"""The FastAPI application over an open deployment."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route

from orchestrator import __version__
from orchestrator.domain.errors import Conflict, RagError
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.http import (
    chat,
    completions,
    documents,
    health,
    models,
    problems,
    queries,
    records,
    reindexing,
    sessions,
    uploads,
    workspaces,
)
from orchestrator.http.middleware import BodyLimitMiddleware, TraceMiddleware
from orchestrator.http.sockets import Sockets
from orchestrator.indexing.library import Library
from orchestrator.settings import Settings
from orchestrator.settings.extras import extra
from orchestrator.settings.tree import HttpSettings
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application

log = structlog.get_logger(__name__)

GC_ALLOCATIONS = 20_000
"""So many more objects made than freed start a collection; Python's own 700 is far less."""
AGENTS_HEADERS = ("mcp-protocol-version", "mcp-method", "mcp-name")
MULTIPART_OVERHEAD = 100_000
"""Bytes that the parts of an upload other than its file may take."""


def create_app(settings: Settings, metrics: Metrics | None = None) -> FastAPI:
    """The service. Its lifespan opens the deployment, works off the queue, and closes it."""
    measured = metrics or Metrics()
    app = FastAPI(
        title="RAG orchestrator",
        version=__version__,
        description="Answers that cite their sources, from documents that you keep.",
        lifespan=partial(_lifespan, settings, measured),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `telemetry` does that
    )
    app.state.sockets = Sockets(settings.http, measured.open_sockets)
    _add_routes(app)
    _add_tools(app, settings)
    problems.install(app, measured.errors)
    _add_middleware(app, settings.http, measured)
    return app


@asynccontextmanager
async def _lifespan(settings: Settings, metrics: Metrics, app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        try:
            application = await stack.enter_async_context(
                open_application(settings, writes=True, telemetry=Telemetry(metrics))
            )
            await _warm_up(application.library)
        except RagError as error:
            app.state.refused = error
            raise
        app.state.application = application
        if tools := app.state.tools:
            await stack.enter_async_context(tools.running())
        async with _working(application):
            yield


@asynccontextmanager
async def _working(application: Application) -> AsyncIterator[None]:
    """Do in the background what this process does beside answering; `health` watches it."""
    background = {
        name: asyncio.create_task(run()) for name, run in _background(application).items()
    }
    for name, task in background.items():
        task.add_done_callback(partial(_tell_of_end, name))
    if "workforce" in background:
        application.health.watch(background, worker=application.workforce)
    else:
        application.health.watch(background)
    _settle_garbage()
    log.info("started", profile=application.settings.profile, version=__version__)
    try:
        yield
    finally:
        for task in background.values():
            task.cancel()
        await asyncio.gather(*background.values(), return_exceptions=True)
        log.info("stopped")


def _tell_of_end(name: str, task: asyncio.Task[None]) -> None:
    """None of them should end before it is told to."""
    if not task.cancelled():
        log.error("background_ended", task=name, exc_info=task.exception())


def _add_routes(app: FastAPI) -> None:
    app.router.routes.extend(queries.router.routes)  # flat: an included router is matched twice
    nouns = (
        completions,
        chat,
        documents,
        uploads,
        records,
        workspaces,
        sessions,
        reindexing,
        models,
        health,
    )
    for noun in nouns:
        app.include_router(noun.router)


def _add_tools(app: FastAPI, settings: Settings) -> None:
    """Tools for agents at `/mcp`, where they are switched on.

    Raises:
        Misconfigured: when their library is not installed.
    """
    app.state.tools = None
    if settings.mcp.enabled:
        with extra("mcp"):
            from orchestrator.http.mounting import Mcp  # noqa: PLC0415  # of an extra
        app.state.tools = Mcp(settings, lambda: app.state.application)
        app.router.routes.append(
            Route("/mcp", app.state.tools, methods=["POST"], include_in_schema=False)
        )


def _add_middleware(app: FastAPI, http: HttpSettings, metrics: Metrics) -> None:
    """What wraps every request, from the inside out."""
    if http.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(http.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["content-type", "traceparent", "idempotency-key", *AGENTS_HEADERS],
            expose_headers=[
                "x-trace-id",
                "location",
                "x-processing-time",
                "content-disposition",
                "idempotency-replayed",
            ],
        )
    app.add_middleware(BodyLimitMiddleware, limit=http.max_body_bytes, limits=_limits(http))
    app.add_middleware(TraceMiddleware, active=metrics.active)


def _limits(http: HttpSettings) -> dict[str, tuple[int, int]]:
    """By path: what a form may hold, and what JSON."""
    forms = http.max_upload_bytes + MULTIPART_OVERHEAD
    many = http.max_batch_bytes + http.max_batch_files * MULTIPART_OVERHEAD
    return {
        "/v1/documents": (forms, http.max_body_bytes),
        "/v1/documents:batch": (many, http.max_text_bytes),
        "/v1/documents:text": (http.max_text_bytes, http.max_text_bytes),
        "/v1/documents:qa": (http.max_text_bytes, http.max_text_bytes),
    }


def _background(application: Application) -> Mapping[str, Callable[[], Coroutine[Any, Any, None]]]:
    """What this process does beside answering."""
    always = {
        "housekeeping": application.housekeeping.run,
        "dispatcher": application.dispatcher.run,
        "preparer": application.preparer.run,
        "analytics": application.recorder.run,
    }
    match application.settings.worker.placement:
        case "inline":
            application.parsers.warm()
            return {**always, **application.labour}
        case "subprocess":
            return {**always, "workforce": application.workforce.run}
        case "external":
            return always


async def _warm_up(library: Library) -> None:
    try:
        await library.pin(DEFAULT_WORKSPACE)
    except Conflict as error:  # the others can be served, and this one configured anew
        log.error("workspace_unusable", error=error.detail)


def _settle_garbage() -> None:
    """What is alive after the start stays: do not look through it at every collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
