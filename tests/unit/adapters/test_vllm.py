"""What a vLLM server says beside completions, where it cannot be so."""

from __future__ import annotations

import asyncio
import json

import pytest

from adapters.generator.counting import guessed
from adapters.generator.openai import Served
from adapters.generator.vllm import open_vllm
from adapters.generator.waiting import Patience
from orchestrator.domain.errors import Unavailable


async def counted(*, window=2048, count=3):
    """How many tokens a text has for a server that says these."""

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        models = {"data": [{"id": "m", "max_model_len": window}]}
        told = json.dumps(models if b"/v1/models" in head else {"count": count}).encode()
        length = b"content-length: %d\r\nconnection: close" % len(told)
        writer.write(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + told)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        served = Served("", 0, guessed, Patience(5, 30, 30))
        async with open_vllm(served, base_url=url, api_key=None) as model:
            return await model.count(["Refunds are paid."])


async def test_the_server_counts():
    assert await counted() == [3]


@pytest.mark.parametrize("lie", [{"window": -1}, {"window": 0}, {"count": -2}, {"count": None}])
async def test_what_can_be_no_count_is_none(lie):
    with pytest.raises(Unavailable):
        await counted(**lie)
