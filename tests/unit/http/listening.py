"""The service of fakes on a real port, as `rag serve` puts it there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import uvicorn

from orchestrator.http.serving import served
from orchestrator.settings import load
from tests.unit.fakes import until
from tests.unit.http.conftest import Service


class Listening:
    """A service at `address` (host and port)."""

    def __init__(self, service: Service, server: uvicorn.Server) -> None:
        self.service = service
        self.server = server
        self.address = f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    @property
    def tasks(self) -> int:
        return len(self.server.server_state.tasks)


@asynccontextmanager
async def listening(*, mcp: Any = None, **http: Any) -> AsyncIterator[Listening]:
    """Its lifespan, which would open a deployment, is left out, but for the tools for agents."""
    given = {} if mcp is True else mcp
    tools = {"enabled": mcp is not None, **(given or {})}
    settings = load(profile="mock", port=0, http={"shutdown_s": 5, **http}, mcp=tools)
    service = Service(settings)
    config = served(service.app, settings)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    async with AsyncExitStack() as stack:
        if service.app.state.tools:
            await stack.enter_async_context(service.app.state.tools.running())
        running = asyncio.create_task(server.serve())
        try:
            await until(lambda: server.started or running.done(), seconds=60)
            yield Listening(service, server)
        finally:
            server.should_exit = True
            await asyncio.wait_for(running, 60)


class Endless:
    """What a generator says that never ends: it counts its pieces, and that it was closed."""

    def __init__(self, *first: Any, piece: Any = None) -> None:
        self.first = first
        self.piece = piece
        self.begun = 0
        self.said = 0
        self.closed = 0

    async def stream(self, query: Any) -> AsyncIterator[Any]:
        """In place of `Answering.stream`; without a piece to repeat, it falls silent."""
        self.begun += 1
        try:
            for event in self.first:
                yield event
            while True:
                if self.piece is None:
                    await asyncio.Event().wait()
                await asyncio.sleep(0)
                self.said += 1
                yield self.piece
        finally:
            self.closed += 1

    async def answer(self, query: Any) -> Any:
        return [event async for event in self.stream(query)]
