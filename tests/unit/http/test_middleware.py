"""What every request passes through: traces, logs, counts, and who may ask from elsewhere."""

from __future__ import annotations

import re

import pytest
from prometheus_client import Gauge
from structlog.testing import capture_logs

from orchestrator.http.middleware import BodyLimitMiddleware, TraceMiddleware
from orchestrator.settings import load
from tests.unit.http.conftest import Service

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.parametrize("parent", [PARENT, PARENT.replace("00-", "cc-", 1) + "-what-will-be"])
async def test_a_request_goes_on_with_the_callers_trace(service, parent):
    response = await service.http.get("/health/live", headers={"traceparent": parent})

    assert response.headers["x-trace-id"] == TRACE


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        TRACE,
        PARENT[:-1],
        PARENT.upper(),
        PARENT.replace("-", "_"),
        PARENT.replace(TRACE, TRACE[:-1]),
        PARENT.replace(TRACE, "0" * 32),
        PARENT.replace("00-", "ff-", 1),
        f"{PARENT}x",
        f"{PARENT}; drop table",
    ],
)
async def test_a_trace_that_is_none_is_replaced_by_a_new_one(service, parent):
    response = await service.http.get("/health/live", headers={"traceparent": parent})

    given = response.headers["x-trace-id"]
    assert re.fullmatch("[0-9a-f]{32}", given)
    assert given not in {TRACE, "0" * 32}


async def test_every_request_has_a_trace_of_its_own(service):
    first, second = [await service.http.get("/health/live") for _ in range(2)]

    assert first.headers["x-trace-id"] != second.headers["x-trace-id"]


async def test_the_problem_and_the_header_name_the_same_trace(service):
    response = await service.http.get("/nothing", headers={"traceparent": PARENT})

    assert response.json()["trace_id"] == response.headers["x-trace-id"] == TRACE


async def test_every_request_is_one_log_line_without_its_content(service):
    with capture_logs() as lines:
        await service.ask(query="a secret question")
        await service.http.get("/nothing?q=secret")

    assert [(one["method"], one["path"], one["status"]) for one in lines] == [
        ("POST", "/v1/query", 200),
        ("GET", "/nothing", 404),
    ]
    assert all(one["ms"] >= 0 for one in lines)
    assert "secret" not in str(lines)


async def test_requests_in_progress_are_counted(service):
    during = []

    async def look():
        during.append(service.counted("rag_active_requests"))

    service.answering.events.insert(0, look)

    await service.ask()

    assert (during, service.counted("rag_active_requests")) == ([1.0], 0.0)


async def test_a_request_that_fails_is_no_longer_in_progress(service):
    service.answering.events = [ZeroDivisionError()]

    await service.ask()

    assert service.counted("rag_active_requests") == 0.0


async def test_what_is_no_request_passes_as_it_is():
    passed = []

    async def app(scope, receive, send):
        passed.append((scope, receive, send))

    for middleware in (
        TraceMiddleware(app, active=Gauge("g", "g", registry=None)),
        BodyLimitMiddleware(app, limit=1, limits={}),
    ):
        await middleware({"type": "lifespan"}, 1, 2)

    assert passed == [({"type": "lifespan"}, 1, 2)] * 2


@pytest.fixture
def open_to():
    def made(*origins):
        return Service(load(profile="mock", http={"cors_origins": list(origins)}))

    return made


ORIGIN = "https://app.example"
PREFLIGHT = {"access-control-request-method": "POST"}


async def test_without_configuration_no_page_of_another_origin_may_ask(service):
    plain = await service.http.get("/health/live", headers={"origin": ORIGIN})
    preflight = await service.http.options("/v1/query", headers={"origin": ORIGIN, **PREFLIGHT})

    assert "access-control-allow-origin" not in {**plain.headers, **preflight.headers}
    assert preflight.status_code == 405


async def test_a_page_of_a_configured_origin_may_ask_and_read_the_trace(open_to):
    service = open_to(ORIGIN)

    plain = await service.http.get("/health/live", headers={"origin": ORIGIN})
    preflight = await service.http.options("/v1/query", headers={"origin": ORIGIN, **PREFLIGHT})

    assert plain.headers["access-control-allow-origin"] == ORIGIN
    exposed = plain.headers["access-control-expose-headers"].split(", ")
    assert {"x-trace-id", "location", "x-processing-time"} <= set(exposed)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "null"])
async def test_a_page_of_any_other_origin_may_not(open_to, origin):
    service = open_to(ORIGIN)

    plain = await service.http.get("/health/live", headers={"origin": origin})
    preflight = await service.http.options("/v1/query", headers={"origin": origin, **PREFLIGHT})

    assert "access-control-allow-origin" not in {**plain.headers, **preflight.headers}
    assert preflight.status_code == 400


async def test_no_page_may_ask_with_the_readers_cookies(open_to):
    response = await open_to(ORIGIN).http.get("/health/live", headers={"origin": ORIGIN})

    assert "access-control-allow-credentials" not in response.headers
