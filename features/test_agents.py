"""Steps of agents: the official SDK of the Model Context Protocol, over both transports."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pytest_bdd import parsers, scenarios, then, when

from features.world import World, named

scenarios("agents.feature")

TOOLS = {"asks": "ask", "searches": "search"}


def called(transport: Any, tool: str, **arguments: Any) -> Any:
    """What the tool gives, called by the SDK's own client."""

    async def call() -> Any:
        async with Client(transport) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(asyncio.wait_for(call(), 60))


def over_http(world: World) -> Any:
    return streamable_http_client(f"{world.service.http.base_url}/mcp")


def with_rag_mcp(world: World) -> Any:
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    rag = str(Path(sys.executable).with_name("rag"))
    env = {**plain, **world.service.variables}
    return stdio_client(StdioServerParameters(command=rag, args=["mcp"], env=env))


@when(parsers.re(r'an agent (?P<acts>asks|searches) "(?P<question>[^"]*)" over HTTP'))
def act_over_http(world: World, acts: str, question: str) -> None:
    arguments = {"query": question, "workspace": world.workspace}
    world.noted = called(over_http(world), TOOLS[acts], **arguments)


@when(named('an agent asks "{question}" with rag mcp'))
def ask_with_rag_mcp(world: World, question: str) -> None:
    arguments = {"query": question, "workspace": world.workspace}
    world.noted = called(with_rag_mcp(world), "ask", **arguments)


@when(named('an agent asks "{question}" of a workspace that is not there'))
def ask_nowhere(world: World, question: str) -> None:
    world.noted = called(over_http(world), "ask", query=question, workspace="nowhere")


@then(named('the agent is told "{fact}" from "{source_id}"'))
def told_from(world: World, fact: str, source_id: str) -> None:
    given = world.noted.structured_content
    assert not world.noted.is_error
    sources = given["hits"] if "hits" in given else [o for o in given["sources"] if o["cited"]]
    assert fact in given.get("answer", sources[0]["snippet"])
    assert sources[0]["source_id"] == source_id


@then(named('the agent is told the error "{code}"'))
def told_error(world: World, code: str) -> None:
    assert world.noted.is_error
    assert json.loads(world.noted.content[0].text)["code"] == code
