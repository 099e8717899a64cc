"""Problem documents: what is refused, with which status, and what is never told."""

from __future__ import annotations

import json
import re
from contextvars import copy_context

import pytest

from orchestrator.domain import errors
from orchestrator.domain.answers import Done
from orchestrator.http import problems
from tests.unit.http.conftest import ANSWER

JSON = {"content-type": "application/json"}
INSIDE = ("Traceback", 'File "', ".py", "ZeroDivisionError", "secret")


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["trace_id"] == response.headers["x-trace-id"]
    assert body["title"]
    return body


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Unavailable("redis", "refused"), 503),
        (errors.TimedOut("too slow"), 504),
        (errors.Exhausted("wait", retry_after=2.5), 429),
        (errors.Rejected("no", field="query"), 422),
        (errors.TooLarge("too large"), 413),
        (errors.Unsupported("no text"), 415),
        (errors.NotFound("nothing there"), 404),
        (errors.Forbidden("not yours"), 403),
        (errors.Conflict("withdrawn", retry_after=0), 409),
        (errors.Misconfigured("no such embedder"), 500),
        (errors.RagError("whatever"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_each_of_our_errors_is_told_with_its_status(service, error, status):
    service.answering.events = [error]

    response = await service.ask()

    body = problem(response, status, error.code)
    assert body["detail"] == error.detail
    assert body.get("field") == error.field
    assert body.get("retry_after_s") == error.retry_after
    assert service.counted("rag_errors_total", code=error.code) == 1


@pytest.mark.parametrize(("seconds", "header"), [(2.5, "3"), (1.0, "1"), (0, "0"), (None, None)])
async def test_a_header_says_when_to_try_again_in_whole_seconds(service, seconds, header):
    service.answering.events = [errors.Exhausted("wait", retry_after=seconds)]

    response = await service.ask()

    assert response.headers.get("retry-after") == header


async def test_a_body_that_is_not_json_is_a_bad_request(service):
    response = await service.http.post("/v1/query", content=b'{"query": "Paid', headers=JSON)

    body = problem(response, 400, "invalid_json")
    assert "is not JSON" in body["detail"]


async def test_no_body_is_said_to_be_none(service):
    response = await service.http.post("/v1/query", headers=JSON)

    assert problem(response, 422, "empty_body")["field"] == "body"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"query": 42}, "query", "string"),
        ({"query": ""}, "query", "at least 1 character"),
        ({"query": "a" * 4001}, "query", "at most 4000 characters"),
        ({}, "query", "required"),
        ({"query": "a", "top_k": 0}, "top_k", "greater than or equal to 1"),
        ({"query": "a", "top_k": "many"}, "top_k", "integer"),
        ({"query": "a", "workspace": ""}, "workspace", "at least 1 character"),
        ({"query": "a", "stream": "maybe"}, "stream", "boolean"),
        ({"query": "a", "filters": []}, "filters", "dictionary"),
        (["a"], "body", "dictionary"),
    ],
)
async def test_an_invalid_field_is_named(service, body, field, words):
    response = await service.http.post("/v1/query", json=body)

    told = problem(response, 422, "invalid_request")
    assert told["field"] == field
    assert told["detail"].startswith(f"{field}: ")
    assert words in told["detail"]


async def test_an_unknown_field_is_named(service):
    response = await service.ask(tok_k=5)

    told = problem(response, 422, "unknown_field")
    assert (told["field"], told["detail"]) == ("tok_k", "there is no field 'tok_k'")


async def test_an_unknown_field_within_another_is_named_by_its_path(service):
    body = {"config": {"fusion": {"colour": "blue"}}, "expected_version": 1}

    response = await service.http.put("/v1/workspaces/legal/config", json=body)

    assert problem(response, 422, "unknown_field")["field"] == "config.fusion.colour"


async def test_a_filter_is_refused_where_it_is_wrong(service):
    filters = {"and": [{"field": "year", "op": "like", "value": 1}]}

    response = await service.ask(filters=filters)

    assert problem(response, 422, "invalid_filter")["field"] == "filters.and[0].op"


async def test_a_query_of_two_megabytes_is_too_large(service):
    response = await service.ask(query="a" * 2_000_000)

    assert "1000000 bytes" in problem(response, 413, "too_large")["detail"]
    assert service.answering.asked == []


async def test_a_body_that_does_not_say_how_long_it_is_may_not_be_longer(service):
    async def endless():
        yield b'{"query": "'
        for _ in range(40):
            yield b"a" * 50_000

    response = await service.http.post("/v1/query", content=endless(), headers=JSON)

    problem(response, 413, "too_large")
    assert service.answering.asked == []


async def test_a_body_at_the_limit_is_read(service):
    frame = len(json.dumps({"query": ""}))

    response = await service.http.post(
        "/v1/query", content=json.dumps({"query": "a" * (1_000_000 - frame)}), headers=JSON
    )

    assert problem(response, 422, "invalid_request")["field"] == "query"


async def test_deeply_nested_json_is_no_defect(service):
    raw = b'{"query": "a", "filters": ' + b'{"not":' * 50_000 + b"1" + b"}" * 50_000 + b"}"

    response = await service.http.post("/v1/query", content=raw, headers=JSON)

    assert 400 <= response.status_code < 500
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/query", 405, "method_not_allowed"),
        ("PATCH", "/v1/documents/d1", 405, "method_not_allowed"),
    ],
)
async def test_what_there_is_not_is_a_problem_too(service, method, path, status, code):
    response = await service.http.request(method, path)

    assert problem(response, status, code)["detail"]


async def test_a_method_that_is_not_allowed_comes_with_those_that_are(service):
    response = await service.http.get("/v1/query")

    assert response.headers["allow"] == "POST"


async def test_a_defect_is_told_without_its_cause(service, capsys):
    service.answering.events = [ZeroDivisionError("a secret")]

    response = await service.ask()

    body = problem(response, 500, "internal")
    assert body["detail"] == "the service met an unexpected error"
    assert not [word for word in INSIDE if word in response.text]
    assert re.fullmatch("[0-9a-f]{32}", body["trace_id"])
    assert service.counted("rag_errors_total", code="internal") == 1
    assert "ZeroDivisionError" in "".join(capsys.readouterr())


async def test_after_a_defect_the_service_goes_on(service):
    service.answering.events = [ZeroDivisionError("a secret")]
    await service.ask()
    service.answering.events = [Done(ANSWER)]

    assert (await service.ask()).status_code == 200


def test_what_was_sent_is_not_in_the_log_of_a_defect(capsys):
    sent = "a secret \ud800"

    error = UnicodeEncodeError("utf-8", sent, 9, 10, "surrogates not allowed")
    copy_context().run(problems.unexpected, error)  # it begins a trace

    text = "".join(capsys.readouterr())
    assert "UnicodeEncodeError" in text
    assert "a secret" not in text
