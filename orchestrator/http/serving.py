"""How the application is put on a port."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from orchestrator.settings import Settings


def served(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """One worker of uvicorn, within the limits of the settings."""
    http = settings.http
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(http.shutdown_s),
        ws="websockets-sansio",
        ws_max_size=http.max_body_bytes,
        ws_ping_interval=http.heartbeat_s,
        ws_ping_timeout=http.heartbeat_s,
        ws_per_message_deflate=False,  # what is compressed says too much by its size
    )
