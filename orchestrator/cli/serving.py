"""`rag serve`."""

from __future__ import annotations

import uvicorn

from orchestrator.http.app import create_app
from orchestrator.settings import load
from orchestrator.telemetry import logs


def serve(host: str | None, port: int | None) -> None:
    """Run uvicorn with one worker; the settings are checked before it starts."""
    settings = load(host=host, port=port)
    logs.set_up(settings.log_level)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.http.shutdown_s),
    )
    server = uvicorn.Server(config)
    server.run()
    if not server.started:
        raise SystemExit(1)
