"""A language model behind all of its guards keeps the promises of a language model."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from prometheus_client import CollectorRegistry

from orchestrator.chaining import resilient
from orchestrator.contracts.language import LanguageModelContract, LanguageModelFailures
from orchestrator.settings.resilience import ResilienceOptions
from orchestrator.telemetry.metrics import Metrics
from tests.served import Served, opener

GUARDS = ResilienceOptions(backoff_s=0.01, first_token_s=60, idle_s=60)


class Guarded(Served):
    kind = "openai"

    @pytest.fixture
    async def opened(self, server):
        async with AsyncExitStack() as stack:
            opening = opener(server, stack)

            async def guarded(kind, **chosen):
                model = await opening(kind, **chosen)
                return resilient(model, "default", GUARDS, Metrics(CollectorRegistry()))[0]

            yield guarded


class TestGuarded(Guarded, LanguageModelContract):
    pass


class TestGuardedFails(Guarded, LanguageModelFailures):
    pass
