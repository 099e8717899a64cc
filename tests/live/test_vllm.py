"""A real vLLM keeps the promises of every language model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from orchestrator.contracts.language import (
    SECRET,
    LanguageModelContract,
    completion,
    said,
)
from orchestrator.domain.errors import Misconfigured
from orchestrator.generators import open_language_model
from orchestrator.settings import load
from tests.builders import free_port
from tests.vllmserver import NAME, WINDOW, VllmServer, missing


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """One server for all tests here."""
    if reason := missing():
        pytest.skip(reason)
    server = VllmServer(tmp_path_factory.mktemp("vllm"), SECRET)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
async def opened(vllm):
    """Opens a model of the server, with these options."""
    async with AsyncExitStack() as stack:

        async def opening(**chosen):
            patient = {"api_key": SECRET, "max_tokens": 100, "first_token_s": 60, "idle_s": 60}
            options = {"kind": "vllm", "base_url": vllm.url, **patient, **chosen}
            settings = load(profile="mock", generator=options)
            return await open_language_model(settings.generator, stack)

        yield opening


class OfVllm(LanguageModelContract):
    @pytest.fixture
    def busy(self, vllm):
        async def answers() -> int:
            return vllm.busy()

        return answers


class TestVllm(OfVllm):
    @pytest.fixture
    async def model(self, opened):
        return await opened()

    @pytest.fixture
    async def unknown(self, opened):
        return await opened(model="other")

    @pytest.fixture
    async def absent(self, opened):
        return await opened(base_url=f"http://127.0.0.1:{free_port()}")


class TestOpenAI(OfVllm):
    """The other kind for the same server."""

    @pytest.fixture
    async def model(self, opened, vllm):
        chosen = {"base_url": f"{vllm.url}/v1", "window": WINDOW}
        return await opened(kind="openai", model=NAME, **chosen)

    @pytest.fixture
    async def unknown(self, opened, vllm):
        return await opened(kind="openai", model="other", base_url=f"{vllm.url}/v1")

    @pytest.fixture
    async def absent(self, opened):
        url = f"http://127.0.0.1:{free_port()}/v1"
        return await opened(kind="openai", model=NAME, base_url=url)


async def test_it_tells_its_name_and_its_window(opened):
    model = await opened()

    await model.ping()

    assert (model.name, model.window) == (NAME, WINDOW)


async def test_its_tokens_are_counted_as_it_counts_them(opened):
    model = await opened()
    (many,) = await model.count(["When are refunds paid? Refunds are paid within 7 days."])

    told = await said(model, completion(max_tokens=40))
    (written,) = await model.count([told.text])

    assert 5 <= many <= 60
    assert told.finish.usage.completion_tokens == 40
    assert abs(written - 40) <= 20  # the same text may be cut in other places


async def test_a_wrong_key_is_told(opened):
    with pytest.raises(Misconfigured, match="refuses the key"):
        await said(await opened(api_key="wrong", model=NAME, window=WINDOW))
