"""What live tests share: settings that only the test chooses, and applications over HTTP."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from orchestrator import health
from orchestrator.http.app import create_app
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from tests.live.processes import RedisServer

OpenApp = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is live."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(autouse=True)
def patient_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is called down because the machine was slow for two seconds."""
    monkeypatch.setattr(health, "PATIENCE_S", 60.0)


@pytest.fixture(autouse=True, scope="session")
def interrupts_are_heeded() -> None:
    """Also where the tests run in the background, with interrupts ignored: that is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def only_given_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.upper().startswith("RAG_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def open_app(tmp_path: Path) -> OpenApp:
    """A client of a new application over the test's one data folder; any number may be open."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        chosen = load(**{"profile": "mock", "data_dir": tmp_path / "data", **settings})
        app = create_app(chosen, Metrics(CollectorRegistry()))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://rag", timeout=30
            ) as client,
        ):
            yield client

    return opened


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()
