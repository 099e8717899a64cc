"""`/mcp`: the tools for agents over streamable HTTP, without sessions, for known hosts alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from orchestrator.http import agents
from orchestrator.settings import Settings
from orchestrator.wiring import Application

LOOPBACK: Final = ("localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "[::1]", "[::1]:*")


class Mcp:
    """The ASGI application at `/mcp`; it answers while `running`."""

    def __init__(self, settings: Settings, application: Callable[[], Application]) -> None:
        self._manager = StreamableHTTPSessionManager(
            agents.server(application),
            stateless=True,
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=[*LOOPBACK, *settings.mcp.hosts],
                allowed_origins=list(settings.http.cors_origins),
            ),
        )

    def running(self) -> AbstractAsyncContextManager[None]:
        """For as long as the service runs."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._manager.handle_request(scope, receive, send)
