"""Workspaces as models: the official SDK asks, and reads answers, citations and errors."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx2
import openai
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from orchestrator.domain.answers import Done, Query, Sources, Token, Turn
from orchestrator.domain.errors import Exhausted, NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS, Scope
from orchestrator.http.completion_schemas import citations
from tests.unit.fakes import until
from tests.unit.http.conftest import ANSWER
from tests.unit.http.listening import Endless, listening

ASKED = [{"role": "user", "content": "Paid?"}]
SAID = [
    {"role": "system", "content": "You are a pirate."},
    {"role": "user", "content": "Are refunds paid?"},
    {"role": "assistant", "content": "Refunds are paid. [1]", "annotations": [], "refusal": None},
    {"role": "developer", "content": "Answer in French."},
    {"role": "user", "content": [{"type": "text", "text": "When"}, {"type": "text", "text": "?"}]},
]


@pytest.fixture(autouse=True)
def quiet():
    """A defect's traceback takes its time to be written."""
    with capture_logs():
        yield


def sdk(url, **options):
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, **options)


@pytest_asyncio.fixture
async def client(service):
    transport = httpx2.ASGITransport(service.app, raise_app_exceptions=False)
    async with sdk("http://rag", http_client=httpx2.AsyncClient(transport=transport)) as opened:
        yield opened


async def test_an_answer_is_a_completion(service, client):
    given = await client.chat.completions.create(model="default", messages=ASKED)

    (choice,) = given.choices
    assert (given.object, given.model) == ("chat.completion", "default")
    assert given.id.startswith("chatcmpl-")
    assert choice.message.content == "Refunds are paid. [1]"
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    usage = given.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (12, 9, 21)
    assert service.counted("rag_queries_total") == 1


async def test_citations_are_annotations_of_their_markers(client):
    given = await client.chat.completions.create(model="default", messages=ASKED)

    message = given.choices[0].message
    (one,) = message.annotations
    cited = one.url_citation
    assert one.type == "url_citation"
    assert message.content[cited.start_index : cited.end_index] == "[1]"
    assert (cited.title, cited.url) == ("Rückgabe – 返金", "/v1/documents/document-1/original")
    assert (cited.doc_id, cited.source_id) == ("document-1", "policies/1.md")


def test_a_marker_without_a_source_is_no_citation():
    answer = replace(ANSWER, answer="[2] Naïve – 返金 [1], [0] and [1].")

    found = [one.url_citation for one in citations(answer)]

    assert [answer.answer[one.start_index : one.end_index] for one in found] == ["[1]", "[1]"]
    assert [one.start_index for one in found] == [15, 28]


@pytest.mark.parametrize(
    ("source_id", "url"),
    [
        ("https://docs.example.com/refunds", "https://docs.example.com/refunds"),
        ("javascript:alert(1)", "/v1/documents/document-1/original"),
    ],
)
def test_a_source_of_the_web_is_cited_by_its_own_url(source_id, url):
    source = replace(ANSWER.sources[0], source_id=source_id)

    (one,) = citations(replace(ANSWER, sources=(source,)))

    assert one.url_citation.url == url


async def test_what_the_shape_has_no_place_for_stands_beside_it(service, client):
    given = await client.chat.completions.create(model="default", messages=ASKED)

    plain = (await service.ask()).json()
    rag = given.model_extra["rag"]
    assert rag["answerable"] is True
    assert rag["sources"] == plain["sources"]
    assert rag["meta"]["degraded"] == ["dense_retrieval"]


async def test_the_last_message_of_the_user_is_the_question(service, client):
    filters = {"field": "year", "op": "eq", "value": 2026}

    await client.chat.completions.create(
        model="legal", messages=SAID, extra_body={"filters": filters, "top_k": 7}
    )

    history = (Turn("user", "Are refunds paid?"), Turn("assistant", "Refunds are paid. [1]"))
    scope = Scope("legal", ANONYMOUS, Condition("year", "eq", 2026))
    assert service.answering.asked == [Query("When\n?", scope, 7, history=history)]


async def test_of_a_long_conversation_the_newest_is_passed_on(service, client):
    turns = [{"role": "user", "content": str(number)} for number in range(150)]

    await client.chat.completions.create(model="default", messages=[*turns, *ASKED])

    (asked,) = service.answering.asked
    assert [turn.text for turn in asked.history] == [str(number) for number in range(50, 150)]


async def test_a_stream_tells_the_answer_in_chunks(client):
    stream = await client.chat.completions.create(model="default", messages=ASKED, stream=True)
    chunks = [chunk async for chunk in stream]

    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == ANSWER.answer
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].model_extra["rag"]["sources"][0]["doc_id"] == "document-1"
    assert chunks[-1].model_extra["rag"]["answerable"] is True
    (cited,) = deltas[-1].model_extra["annotations"]
    assert cited["url_citation"]["start_index"] == ANSWER.answer.index("[1]")
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_stream_ends_with_its_usage_if_asked_to(client):
    stream = await client.chat.completions.create(
        model="default", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = [chunk async for chunk in stream]

    assert (last.choices, last.usage.total_tokens) == ([], 21)
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize(
    ("degraded", "reason"),
    [("answer_cut_short", "length"), ("answer_filtered", "content_filter"), ("cache", "stop")],
)
async def test_why_an_answer_ended_is_told(service, client, degraded, reason):
    ended = replace(ANSWER, meta=replace(ANSWER.meta, degraded=(degraded,)))
    service.answering.events = [Sources(ANSWER.sources), Done(ended)]

    whole = await client.chat.completions.create(model="default", messages=ASKED)
    stream = await client.chat.completions.create(model="default", messages=ASKED, stream=True)

    assert whole.choices[0].finish_reason == reason
    assert [chunk async for chunk in stream][-1].choices[0].finish_reason == reason


async def test_the_last_line_of_a_stream_says_that_it_is_done(service):
    body = {"model": "default", "messages": ASKED, "stream": True}

    response = await service.http.post("/v1/chat/completions", json=body)

    *_, last, end = [line for line in response.text.split("\n\n") if line]
    assert json.loads(last.removeprefix("data: "))["choices"][0]["finish_reason"] == "stop"
    assert end == "data: [DONE]"


async def test_a_refusal_to_answer_is_an_answer(service, client):
    refusal = replace(ANSWER, answer="The documents do not say.", answerable=False, sources=())
    service.answering.events = [Sources(()), Token(refusal.answer), Done(refusal)]

    given = await client.chat.completions.create(model="default", messages=ASKED)

    assert given.choices[0].message.content == "The documents do not say."
    assert given.choices[0].message.annotations == []
    assert given.model_extra["rag"]["answerable"] is False


@pytest.mark.parametrize(
    ("error", "raised", "code"),
    [
        (NotFound("there is no workspace 'x'", code="unknown_workspace"), openai.NotFoundError,
         "model_not_found"),
        (Exhausted("too much", retry_after=7.2), openai.RateLimitError, "exhausted"),
        (Unavailable("generator", "down", retry_after=3), openai.InternalServerError,
         "unavailable"),
        (ZeroDivisionError("a secret"), openai.InternalServerError, "internal"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_is_one_that_the_sdk_knows(service, client, error, raised, code, stream):
    service.answering.events = [error]

    with pytest.raises(raised) as caught:
        await client.chat.completions.create(model="x", messages=ASKED, stream=stream)

    told = caught.value
    assert told.code == code
    assert told.body["message"] == getattr(error, "detail", "the service met an unexpected error")
    assert told.body["trace_id"] == told.response.headers["x-trace-id"]
    wait = getattr(error, "retry_after", None)
    assert told.response.headers.get("retry-after") == (wait and str(int(wait + 0.9)))
    assert service.counted("rag_errors_total", code=getattr(error, "code", "internal")) == 1


async def test_an_unknown_workspace_is_an_unknown_model(service, client):
    service.answering.events = [NotFound("there is none", code="unknown_workspace")]

    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="x", messages=ASKED)

    assert (caught.value.param, caught.value.type) == ("model", "invalid_request_error")


@pytest.mark.parametrize("error", [Unavailable("generator", "down"), ZeroDivisionError("secret")])
async def test_what_fails_midway_is_told_in_the_stream(service, client, error):
    service.answering.events[2:] = [error]

    stream = await client.chat.completions.create(model="default", messages=ASKED, stream=True)
    with pytest.raises(openai.APIError) as caught:
        assert [chunk async for chunk in stream]

    assert caught.value.code == getattr(error, "code", "internal")
    assert caught.value.type == "server_error"
    assert "secret" not in str(caught.value.body)


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"stop": ["\n"]}, "stop"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "mp3"}}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"extra_body": {"colour": "blue"}}, "colour"),
        ({"extra_body": {"top_k": 0}}, "top_k"),
        ({"extra_body": {"filters": {"field": "a", "op": "like", "value": 1}}}, "filters.op"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [*ASKED, {"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 5_000}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
         "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
        ({"stream_options": {"colour": "blue"}}, "stream_options.colour"),
    ],
)  # fmt: skip
async def test_what_is_not_done_here_is_refused_by_its_name(service, client, values, param):
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(**{"model": "x", "messages": ASKED, **values})

    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert service.answering.asked == []


async def test_what_changes_nothing_here_is_taken(service, client):
    await client.chat.completions.create(
        model="default",
        messages=ASKED,
        n=1,
        tools=[],
        tool_choice="auto",
        logprobs=False,
        response_format={"type": "text"},
        stop=None,
        temperature=0.2,
        top_p=0.9,
        max_tokens=100,
        max_completion_tokens=100,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        seed=1,
        user="u",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        reasoning_effort="low",
        parallel_tool_calls=True,
    )

    assert service.answering.asked == [Query("Paid?", Scope("default"), 5)]


async def test_a_body_that_is_too_large_is_refused_in_the_same_shape(client):
    long = [{"role": "user", "content": "x" * 2_000_000}]

    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(model="default", messages=long)

    assert (caught.value.status_code, caught.value.code) == (413, "too_large")


async def test_a_client_that_goes_ends_the_answer():
    async with listening() as at, sdk(f"http://{at.address}") as client:
        endless = Endless(Sources(ANSWER.sources), Token("Refunds "))
        at.service.app.state.application.answering = endless

        stream = await client.chat.completions.create(model="default", messages=ASKED, stream=True)
        await anext(aiter(stream))
        await stream.close()

        await until(lambda: endless.closed == 1)


class Workspaces:
    """Two workspaces of the catalog."""

    async def list(self):
        made = datetime(2026, 1, 1, tzinfo=UTC)
        return [SimpleNamespace(name=name, created_at=made) for name in ("default", "legal/eu")]

    async def get(self, name):
        for one in await self.list():
            if one.name == name:
                return one
        raise NotFound(f"there is no workspace '{name}'", code="unknown_workspace")


async def test_every_workspace_is_a_model(service, client):
    service.app.state.application.catalog = SimpleNamespace(workspaces=Workspaces())

    listed = [one async for one in client.models.list()]
    one = await client.models.retrieve("legal/eu")

    assert [model.id for model in listed] == ["default", "legal/eu"]
    assert (one.id, one.object, one.owned_by) == ("legal/eu", "model", "rag-orchestrator")
    assert one.created == 1767225600
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("nowhere")
    assert caught.value.code == "model_not_found"
