"""Agents: the SDK's own client of the Model Context Protocol asks `rag mcp` and `rag serve`."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.live.processes import RAG, environment, run_rag, serve, wait_for

QUESTION = "How fast are refunds paid?"


async def asked_all(client: Client) -> None:
    """What an agent does with both tools, and what it is told of errors."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    answer = await client.call_tool("ask", {"query": QUESTION})
    found = await client.call_tool("search", {"query": QUESTION, "top_k": 3})
    refused = await client.call_tool("ask", {"query": QUESTION, "workspace": "nowhere"})

    assert tools == {"ask", "search"}
    assert "7 days" in answer.structured_content["answer"]
    assert answer.structured_content["sources"][0]["source_id"]
    assert 1 <= len(found.structured_content["hits"]) <= 3
    assert "7 days" in found.structured_content["hits"][0]["snippet"]
    assert refused.is_error
    assert json.loads(refused.content[0].text)["code"] == "unknown_workspace"


async def test_an_agent_asks_over_standard_input_and_output(tmp_path: Path):
    async with Client(stdio_client(agent(tmp_path))) as client:
        await asked_all(client)


async def test_an_agent_asks_over_http(tmp_path: Path):
    with serve(tmp_path / "data", RAG_MCP__ENABLED="true") as running:
        async with Client(streamable_http_client(f"{running.http.base_url}/mcp")) as client:
            await asked_all(client)

        foreign = running.http.post("/mcp", json={}, headers={"host": "evil.example"})
        paths = running.http.get("/openapi.json").json()["paths"]
        assert running.stop() == 0

    assert foreign.status_code == 421
    assert "/mcp" not in paths


async def test_an_agent_beside_a_server_reads_what_that_indexed(tmp_path: Path):
    with serve(tmp_path / "data") as running:
        said = {"file": ("heron.txt", b"The heron count of May is 42.")}
        assert running.http.post("/v1/documents", files=said).status_code == 202
        question = {"query": "What is the heron count of May?"}

        def indexed() -> bool:
            return "42" in running.http.post("/v1/query", json=question).json()["answer"]

        wait_for(indexed, "the document was not indexed")
        async with Client(stdio_client(agent(tmp_path))) as client:
            answer = await client.call_tool("ask", question)

    assert "42" in answer.structured_content["answer"]


async def test_a_line_that_is_too_long_is_refused_and_the_next_is_read(tmp_path: Path):
    server = agent(tmp_path, RAG_HTTP__MAX_BODY_BYTES="2000")
    async with Client(stdio_client(server)) as client:
        with pytest.raises(MCPError):
            await client.call_tool("ask", {"query": "x" * 5_000}, read_timeout_seconds=2)
        answer = await client.call_tool("ask", {"query": QUESTION})

    assert "7 days" in answer.structured_content["answer"]


def agent(tmp_path: Path, **variables: str) -> StdioServerParameters:
    env = environment(tmp_path / "data", **variables)
    return StdioServerParameters(command=str(RAG), args=["mcp"], env=env)


def begin() -> str:
    """What a client writes first."""
    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return json.dumps(message) + "\n"


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (None, 0)])
def test_a_server_for_an_agent_ends_when_told_to_or_left(
    tmp_path: Path, how: signal.Signals | None, status: int
):
    with subprocess.Popen(
        [RAG, "mcp"], env=environment(tmp_path / "data"), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        process.stdin.write(begin())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1

        if how is None:
            process.stdin.close()
        else:
            process.send_signal(how)

        try:
            assert process.wait(120) == status
        finally:
            process.kill()


def test_a_broken_configuration_is_one_line(tmp_path: Path):
    ended = run_rag("mcp", env=environment(tmp_path / "data", RAG_CACHE__TTL="5"))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "unknown option 'ttl'" in ended.stderr
