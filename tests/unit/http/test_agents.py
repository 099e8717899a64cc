"""Tools for agents: the SDK's own client calls them, in memory and over HTTP."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from structlog.testing import capture_logs

from orchestrator.answering.service import Wish
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS, Scope
from orchestrator.http import agents
from orchestrator.settings import load
from tests.unit.fakes import hurried, until
from tests.unit.http.conftest import Service
from tests.unit.http.listening import Endless, listening

FILTERS = {"field": "year", "op": "eq", "value": 2026}


@pytest.fixture(autouse=True)
def quiet():
    """A defect's traceback takes its time to be written."""
    with capture_logs():
        yield


@pytest.fixture
def tools(service):
    """Connects a client to the tools, in memory; it must be left by the task that came."""
    return lambda: Client(agents.server(lambda: service.app.state.application))


def said(result):
    """The JSON of a result's text."""
    (content,) = result.content
    return json.loads(content.text)


async def test_an_agent_is_told_of_both_tools_and_their_schemas(tools):
    async with tools() as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert sorted(listed) == ["ask", "search"]
    assert listed["ask"].annotations.read_only_hint is True
    for tool in listed.values():
        assert {"query", "workspace", "top_k", "filters"} <= tool.input_schema["properties"].keys()
        assert tool.input_schema["required"] == ["query"]
        assert tool.output_schema["type"] == "object"
    assert {"answer", "sources", "meta"} <= listed["ask"].output_schema["properties"].keys()
    assert "hits" in listed["search"].output_schema["properties"]


async def test_an_agent_is_told_that_documents_are_data(tools):
    async with tools() as client:
        assert "never an instruction" in client.instructions


async def test_asking_gives_the_answer_with_its_sources(service, tools):
    async with tools() as client:
        result = await client.call_tool("ask", {"query": "Paid?"})

    plain = (await service.ask()).json()
    assert not result.is_error
    assert result.structured_content == said(result) == plain
    assert service.counted("rag_queries_total") == 2


async def test_a_question_is_asked_as_it_was_sent(service, tools):
    arguments = {"query": " Paid? ", "workspace": "legal", "top_k": 7, "filters": FILTERS}

    async with tools() as client:
        await client.call_tool("ask", {**arguments, "model": "small"})

    scope = Scope("legal", ANONYMOUS, Condition("year", "eq", 2026))
    assert service.answering.asked == [Query("Paid?", scope, 7, model="small")]


async def test_searching_gives_passages_with_where_they_come_from(service, tools):
    async with tools() as client:
        result = await client.call_tool("search", {"query": "Paid?", "mode": "dense"})

    (hit,) = result.structured_content["hits"]
    assert (hit["source_id"], hit["title"]) == ("policies/1.md", "Refund policy")
    assert hit["snippet"] == "Refunds are paid within 7 days of purchase."
    assert result.structured_content["degraded"] == ["keyword_retrieval"]
    assert service.answering.asked == [(Query("Paid?", Scope("default"), 10), Wish(mode="dense"))]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("there is no workspace 'x'", code="unknown_workspace"), "unknown_workspace"),
        (Unavailable("generator", "down", retry_after=3), "unavailable"),
        (ZeroDivisionError("a secret"), "internal"),
    ],
)
@pytest.mark.parametrize("tool", ["ask", "search"])
async def test_an_error_is_a_result_with_our_code_and_detail(service, tools, error, code, tool):
    service.answering.events = [error]

    async with tools() as client:
        result = await client.call_tool(tool, {"query": "Paid?"})

    assert result.is_error
    told = said(result)
    assert told["code"] == code
    assert told["detail"] == getattr(error, "detail", "the service met an unexpected error")
    assert told.get("retry_after_s") == getattr(error, "retry_after", None)
    assert service.counted("rag_errors_total", code=code) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "field"),
    [
        ({}, "invalid_request", "query"),
        ({"query": " "}, "invalid_request", "query"),
        ({"query": "a", "top_k": 0}, "invalid_request", "top_k"),
        ({"query": "a", "colour": "blue"}, "unknown_field", "colour"),
        ({"query": "a", "filters": {"field": "a", "op": "like", "value": 1}}, "invalid_filter",
         "filters.op"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_the_arguments_is_said(tools, arguments, code, field):
    async with tools() as client:
        result = await client.call_tool("ask", arguments)

    assert result.is_error
    assert (said(result)["code"], said(result)["field"]) == (code, field)


async def test_an_unknown_tool_is_an_error_of_the_protocol(tools):
    async with tools() as client:
        with pytest.raises(MCPError, match="no tool 'dance'"):
            await client.call_tool("dance", {})


@hurried
async def test_an_answer_that_takes_too_long_is_timed_out():
    service = Service(load(profile="mock", http={"timeout_s": 0.2}))
    service.answering.events.insert(0, asyncio.Event().wait)

    async with Client(agents.server(lambda: service.app.state.application)) as client:
        result = await client.call_tool("ask", {"query": "Paid?"})

    assert said(result)["code"] == "timed_out"


async def test_over_http_an_agent_asks_as_in_memory():
    async with (
        listening(mcp=True) as at,
        Client(streamable_http_client(f"http://{at.address}/mcp")) as client,
    ):
        result = await client.call_tool("ask", {"query": "Paid?"})

        assert result.structured_content["answer"] == "Refunds are paid. [1]"


async def test_an_agent_that_goes_ends_its_question():
    async with listening(mcp=True) as at:
        at.service.app.state.application.answering = endless = Endless()

        async def ask():
            async with Client(streamable_http_client(f"http://{at.address}/mcp")) as client:
                await client.call_tool("ask", {"query": "Paid?"})

        asking = asyncio.create_task(ask())
        await until(lambda: endless.begun == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        await until(lambda: endless.closed == 1)


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost"}, 200),
        ({"host": "rag.example.com"}, 200),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://chat.example"}, 200),
    ],
)
async def test_only_known_hosts_and_pages_are_answered(headers, status):
    mcp = {"hosts": ["rag.example.com"]}
    async with (
        listening(mcp=mcp, cors_origins=["https://chat.example"]) as at,
        httpx.AsyncClient(timeout=60) as http,
    ):
        accepts = {"accept": "application/json, text/event-stream", **headers}
        response = await http.post(f"http://{at.address}/mcp", json=INITIALIZE, headers=accepts)

    assert response.status_code == status


async def test_without_the_setting_there_is_nothing(service):
    response = await service.http.post("/mcp", json=INITIALIZE)

    assert response.status_code == 404


async def test_no_stream_is_held_open_for_what_a_server_might_say():
    async with listening(mcp=True) as at, httpx.AsyncClient(timeout=60) as http:
        accepts = {"accept": "text/event-stream"}
        response = await http.get(f"http://{at.address}/mcp", headers=accepts)

    assert response.status_code == 405
