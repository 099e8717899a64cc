"""A real Triton server keeps the promises of every language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import ClassVar

import pytest

from orchestrator.contracts.language import LanguageModelContract, completion, said
from orchestrator.domain.errors import Unavailable
from orchestrator.generators import open_language_model
from orchestrator.settings import load
from tests.builders import free_port
from tests.tritonserver import TritonServer, missing

WINDOW = 512


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """One server for all tests here."""
    if reason := missing():
        pytest.skip(reason)
    server = TritonServer(tmp_path_factory.mktemp("triton") / "models")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def opened(triton):
    """Opens a model of the server, with these options."""
    async with AsyncExitStack() as stack:

        async def opening(**chosen):
            patient = {"max_tokens": 100, "first_token_s": 60, "idle_s": 60, "window": WINDOW}
            options = {"kind": "triton", "base_url": triton.url, **patient, **chosen}
            settings = load(profile="mock", generator=options)
            return await open_language_model(settings.generator, stack)

        yield opening


class OfTriton(LanguageModelContract):
    chosen: ClassVar[dict[str, str]]

    @pytest.fixture
    async def model(self, opened):
        return await opened(**self.chosen)

    @pytest.fixture
    def busy(self, triton):
        async def answers() -> int:
            return triton.busy(self.chosen["model"])

        return answers

    @pytest.fixture
    async def unknown(self, opened):
        return await opened(**{**self.chosen, "model": "other"})

    @pytest.fixture
    async def absent(self, opened):
        return await opened(**self.chosen, base_url=f"http://127.0.0.1:{free_port()}")


class TestTheVllmBackend(OfTriton):
    chosen: ClassVar = {"model": "vllm_model", "backend": "vllm"}


class TestTheBackendOfTensorRT(OfTriton):
    chosen: ClassVar = {"model": "ensemble", "backend": "tensorrt-llm"}


async def test_it_says_when_it_is_ready(triton, opened):
    await (await opened(model="ensemble")).ping()

    with pytest.raises(Unavailable, match="not ready"):
        await (await opened(model="other")).ping()


async def test_the_cost_is_what_the_server_counted(opened):
    model = await opened(model="vllm_model", backend="vllm")

    told = await said(model)

    limit = completion().max_tokens
    assert (told.finish.reason, told.finish.usage.completion_tokens) == ("length", limit)
