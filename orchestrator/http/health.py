"""`/health`, `/health/live`, `/health/ready` and `/metrics`: for whoever operates the service."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from orchestrator import __version__
from orchestrator.domain.errors import Unavailable
from orchestrator.http.dependencies import App
from orchestrator.http.schemas import HealthView, State
from orchestrator.ports.queue import Backlog

router = APIRouter(tags=["operation"])


@router.get("/health/live", summary="Is the process alive?")
async def live() -> dict[str, str]:
    """Always `ok` while the event loop turns; asks nobody."""
    return {"status": "ok"}


@router.get("/health", summary="What is up, and what is down?")
async def health(app: App) -> HealthView:
    """The state of every dependency; always 200."""
    return await _view(app)


@router.get("/health/ready", summary="Can it answer?", responses={503: {"model": HealthView}})
async def ready(app: App, response: Response) -> HealthView:
    """200 while questions can be answered, degraded or not; else 503, naming what is down."""
    view = await _view(app)
    if view.status == "down":
        response.status_code = 503
    return view


@router.get("/metrics", include_in_schema=False)
async def metrics(app: App) -> Response:
    """Every metric, for Prometheus; the queue's are read now."""
    try:
        backlog = await app.queue.backlog()
    except Unavailable:  # the rest can still be told
        backlog = Backlog(-1, -1.0)
    app.metrics.queue_depth.set(backlog.waiting)
    app.metrics.queue_oldest.set(backlog.oldest_s)
    return Response(generate_latest(app.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _view(app: App) -> HealthView:
    report = await app.health.report()
    status: State = "down" if not report.ready else "degraded" if report.down else "ok"
    return HealthView(
        status=status, down=report.down, dependencies=dict(report.states), version=__version__
    )
