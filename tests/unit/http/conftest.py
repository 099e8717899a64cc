"""The service over fakes: every test hands it the use cases that it is about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from orchestrator import health
from orchestrator.domain.analytics import Policy
from orchestrator.domain.answers import Done, Sources, Token
from orchestrator.domain.passages import Retrieval
from orchestrator.http.app import create_app
from orchestrator.settings import Settings, load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.recorder import Recorder
from tests.builders import answer, passage

ANSWER = answer("Refunds are paid. [1]")


class Answering:
    """Gives `answers` one after another, in as many steps as a stream has; an error is raised."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.events: list[Any] = [
            Sources(ANSWER.sources),
            Token("Refunds "),
            Token("are paid. [1]"),
            Done(ANSWER),
        ]

    async def stream(self, query: Any) -> AsyncIterator[Any]:
        self.asked.append(query)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if callable(event):
                await event()
            else:
                yield event

    async def answer(self, query: Any) -> Any:
        return [event async for event in self.stream(query)][-1].answer

    async def look(self, query: Any, wish: Any) -> Any:
        [event async for event in self.stream((query, wish))]
        return Retrieval([passage()], ("keyword_retrieval",)), {"retrieve": 1.5}


class Counts:
    """The counts of searches that a recorder hands over, of a workspace that is always there."""

    def __init__(self) -> None:
        self.kept: Counter[tuple[str, str]] = Counter()

    async def get(self, name: str) -> Any:
        return SimpleNamespace(uid=name, created_at=datetime.min.replace(tzinfo=UTC))

    async def add(self, counts: Any, *, texts: int) -> None:
        for one, number in counts.items():  # of two days, if midnight has just passed
            self.kept[one.kind, one.name] += number


class Service:
    """An application of fakes, and a client that speaks to it without a network."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.answering = Answering()
        self.counts = Counts()
        self.app: FastAPI = create_app(settings, self.metrics)
        self.app.state.application = SimpleNamespace(
            settings=settings,
            metrics=self.metrics,
            answering=self.answering,
            assembly=SimpleNamespace(tried=lambda patch, config: (patch, config)),
            recorder=Recorder(self.counts, self.counts, Policy(), self.metrics),
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://rag")

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.http.post("/v1/query", json={"query": "Paid?", **body})


@pytest.fixture(autouse=True)
def patient_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is called down because the machine was slow for two seconds."""
    monkeypatch.setattr(health, "PATIENCE_S", 60.0)


@pytest.fixture
def settings() -> Settings:
    return load(profile="mock", retriever={"kind": "hybrid"})


@pytest.fixture
def service(settings: Settings) -> Service:
    return Service(settings)


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream."""
    blocks = [block.split("\n", 1) for block in text.strip().split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in blocks
    ]
