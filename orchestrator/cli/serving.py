"""`rag serve`."""

from __future__ import annotations

import logging
import signal

import uvicorn

from orchestrator.cli.console import Exit
from orchestrator.http.app import create_app
from orchestrator.http.serving import served
from orchestrator.settings import load
from orchestrator.telemetry import logs


def serve(host: str | None, port: int | None) -> None:
    """Run uvicorn with one worker; the settings are checked before it starts."""
    settings = load(host=host, port=port)
    logs.set_up(settings.log_level)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    app = create_app(settings)
    server = uvicorn.Server(served(app, settings))
    for ending in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises again what it has obeyed
        signal.signal(ending, lambda *_: None)
    try:
        server.run()
    finally:
        if refused := getattr(app.state, "refused", None):
            raise refused
    if not server.started:
        raise SystemExit(Exit.FAILED)


def _is_news(record: logging.LogRecord) -> bool:
    """Why a start was refused is told in one sentence, by whoever called."""
    return not record.getMessage().startswith(("Traceback", "Application startup failed"))
