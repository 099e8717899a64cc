"""Language models of a scripted server, opened by the code of a deployment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from orchestrator.contracts.language import SECRET
from orchestrator.generators import open_language_model
from orchestrator.ports.language import LanguageModel
from orchestrator.settings import load
from tests.builders import free_port
from tests.completions import MODEL, WINDOW, Completions, completions
from tests.misbehaviour import misbehave, talkative

Opening = Callable[..., Awaitable[LanguageModel]]
OFFERED = {
    "openai": {"kind": "openai", "model": MODEL, "window": WINDOW},
    "vllm": {"kind": "vllm"},
    "triton": {"kind": "triton", "model": MODEL, "backend": "vllm", "window": WINDOW},
    "tensorrt-llm": {"kind": "triton", "model": MODEL, "window": WINDOW},
    "litellm": {"kind": "litellm", "model": f"openai/{MODEL}", "window": WINDOW},
}


def opener(server: Completions, stack: AsyncExitStack) -> Opening:
    """Opens a model of the server, of this kind and with these options."""

    async def opening(kind: str, **chosen: Any) -> LanguageModel:
        path = "/v1" if kind in {"openai", "litellm"} else ""
        patient = {"max_tokens": 100, "first_token_s": 300, "idle_s": 300}
        chosen = {"base_url": f"{server.url}{path}", **chosen}
        settings = load(profile="mock", generator={**OFFERED[kind], **patient, **chosen})
        return await open_language_model(settings.generator, stack)

    return opening


class Served:
    """The contract's fixtures over a scripted server, for one kind."""

    kind: str

    @pytest.fixture
    def server(self):
        with completions(talkative) as started:
            yield started

    @pytest.fixture
    async def opened(self, server):
        async with AsyncExitStack() as stack:
            yield opener(server, stack)

    @pytest.fixture
    async def model(self, server, opened):
        server.key = SECRET
        return await opened(self.kind, api_key=SECRET)

    @pytest.fixture
    async def impatient(self, server, opened):
        server.key = SECRET
        return await opened(self.kind, api_key=SECRET, first_token_s=0.5, idle_s=0.5)

    @pytest.fixture
    def busy(self, server):
        async def answers() -> int:
            return server.open

        return answers

    @pytest.fixture
    async def unknown(self, opened):
        prefix = "openai/" if self.kind == "litellm" else ""
        return await opened(self.kind, model=f"{prefix}other", api_key=SECRET)

    @pytest.fixture
    async def absent(self, opened):
        return await opened(self.kind, base_url=f"http://127.0.0.1:{free_port()}")

    @pytest.fixture
    def go_wrong(self, server):
        return lambda how: misbehave(server, how)
