"""The real `rag serve`: how it starts, what it tells its operator, and how it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clock import awake
from tests.live.processes import RAG, Served, environment, run_rag, serve, wait_for

QUESTION = {"query": "How fast are refunds paid?"}
METRICS = {
    "rag_queries_total",
    "rag_cache_hits_total",
    "rag_cache_misses_total",
    "rag_query_duration_seconds_bucket",
    "rag_query_duration_seconds_count",
    "rag_stage_duration_seconds_bucket",
    "rag_active_requests",
    "rag_errors_total",
}
INSIDE = ("Traceback", 'File "', ".py", "site-packages")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("serve") / "data") as running:
        yield running


def samples(served: Served) -> dict[str, float]:
    lines = served.http.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_health_names_every_dependency(served: Served):
    live = served.http.get("/health/live")
    ready = served.http.get("/health/ready")
    health = served.http.get("/health")

    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert health.status_code == 200
    assert health.json()["status"] == "ok"
    assert health.json()["down"] == []
    assert {"catalog", "blobs", "cache"} <= health.json()["dependencies"].keys()


def test_metrics_have_the_promised_names(served: Served):
    served.http.post("/v1/query", json={"query": ""})
    served.http.post("/v1/query", json=QUESTION)

    found = samples(served)

    assert {name.split("{")[0] for name in found} >= METRICS
    stages = {name for name in found if name.startswith("rag_stage_duration_seconds_count")}
    assert {f'rag_stage_duration_seconds_count{{stage="{stage}"}}' for stage in STAGES} <= stages


STAGES = ("cache", "retrieve", "rerank", "generate")


def test_metrics_count_each_question_once(served: Served):
    before = samples(served)
    ask = {"query": "Up to what price a night are hotels reimbursed?"}
    served.http.post("/v1/query", json=ask)
    served.http.post("/v1/query", json=ask)
    served.http.post("/v1/query", json={**ask, "stream": True})
    served.http.post("/v1/query", json={**ask, "workspace": "nowhere"})

    after = samples(served)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown("rag_queries_total") == 3
    assert grown("rag_cache_misses_total") == 1
    assert grown("rag_cache_hits_total") == 2
    assert grown("rag_query_duration_seconds_count") == 3
    assert grown('rag_errors_total{code="unknown_workspace"}') == 1
    assert after["rag_active_requests"] == 1  # the scrape itself


def test_logs_are_json_lines_with_the_trace_of_their_request(served: Served):
    asked = served.http.post("/v1/query", json=QUESTION)
    trace = asked.headers["x-trace-id"]

    lines = wait_for(
        lambda: [line for line in served.logs() if line.get("trace_id") == trace], "no log line"
    )

    (line,) = [line for line in lines if line["event"] == "request"]
    assert line["path"] == "/v1/query"
    assert line["status"] == 200
    assert line["ms"] > 0
    assert {"level", "timestamp"} <= line.keys()
    assert all({"event", "level", "timestamp"} <= one.keys() for one in served.logs())


def test_logs_hold_no_question_and_no_answer(served: Served):
    served.http.post("/v1/query", json=QUESTION)

    text = served.errors.read_text()

    assert "refunds" not in text.casefold()
    assert "7 days" not in text


FAILING = """
import structlog
from orchestrator.telemetry import logs

def answer(question):
    try:
        raise RuntimeError("out of order")
    except RuntimeError as error:
        structlog.get_logger("x").error("unexpected_error", error=repr(error), exc_info=error)

logs.set_up("info")
answer("how much does the chairman earn")
"""


def test_a_logged_failure_holds_no_variable():
    ended = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, timeout=60, check=True
    )

    assert "out of order" in json.loads(ended.stderr)["error"]
    assert "chairman" not in ended.stderr


def test_no_response_shows_the_inside(served: Served):
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/query", {"content": b"\xff\xfe\x00"}),
        ("POST", "/v1/query", {"content": b"[" * 100_000}),
        ("POST", "/v1/query", {"content": b'{"query": "a", "filters": ' + b'{"not":' * 9000}),
        (
            "POST",
            "/v1/query",
            {"json": {"query": "a", "filters": {"field": 1, "op": [], "value": {}}}},
        ),
        ("POST", "/v1/query", {"json": {"query": "a" * 3_000_000}}),
        ("POST", "/v1/query", {"json": {"query": "\x00'; DROP TABLE documents; --"}}),
        ("POST", "/v1/search", {"json": {"query": "a", "mode": "\x00"}}),
        ("POST", "/v1/documents", {"content": b"--x\r\n\r\n", "headers": FORM}),
        (
            "POST",
            "/v1/documents",
            {"files": {"file": ("../../x.md", b"# a")}, "data": {"acl": "["}},
        ),
        ("GET", "/v1/documents?limit=x", {}),
        ("GET", "/v1/documents/..%2f..%2fetc%2fpasswd", {}),
        ("PUT", "/v1/workspaces/default/config", {"json": {"config": 1, "expected_version": "x"}}),
        ("DELETE", "/v1/workspaces/%00", {}),
        ("PATCH", "/v1/query", {}),
    ]
    for method, path, options in requests:
        response = served.http.request(method, path, **options)

        assert 400 <= response.status_code < 500 or response.status_code == 200, response.text
        assert not [one for one in INSIDE if one in response.text], response.text
    assert served.http.post("/v1/query", json=QUESTION).json()["answerable"] is True
    assert not [line for line in served.logs() if line["event"] == "unexpected_error"]


FORM = {"content-type": "multipart/form-data; boundary=x"}


def test_every_refusal_is_a_problem_with_its_trace(served: Served):
    for size in (10, 2_000_000):
        body = {"query": "a" * size, "colour": "blue"}
        refused = served.http.post("/v1/query", json=body)

        assert refused.status_code in {413, 422}
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["trace_id"] == refused.headers["x-trace-id"]


def test_an_idle_server_ends_at_once_with_status_0(tmp_path: Path):
    with serve(tmp_path / "data") as running:
        with awake() as spent:
            assert running.stop() == 0
            assert spent() < 15
        assert running.logs()[-1]["event"] == "stopped"


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streamed"])
def test_a_request_in_flight_is_finished_before_the_end(tmp_path: Path, streaming: bool):
    with serve(tmp_path / "data") as running:

        def slow_body() -> Iterator[bytes]:
            whole = json.dumps({**QUESTION, "stream": streaming}).encode()
            yield whole[:10]
            wait_for(lambda: active(running) == 2, "the request did not arrive")
            running.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(running), "new connections are still taken")
            yield whole[10:]

        answered = running.http.post(
            "/v1/query", content=slow_body(), headers={"content-type": "application/json"}
        )

        assert answered.status_code == 200
        assert "7 days" in answered.text
        assert not streaming or "event: done" in answered.text
        assert running.process.wait(120) == 0
        assert running.logs()[-1]["event"] == "stopped"


def active(running: Served) -> float:
    """Requests in progress; this one counts itself."""
    text = httpx.get(f"{running.http.base_url}/metrics", timeout=60).text
    return float(text.split("\nrag_active_requests ")[1].split("\n")[0])


def refuses(running: Served) -> bool:
    try:
        httpx.get(f"{running.http.base_url}/health/live", timeout=60)
    except httpx.TransportError:
        return True
    return False


def test_what_was_uploaded_is_there_after_a_restart(tmp_path: Path):
    with serve(tmp_path / "data") as running:
        sent = running.http.post(
            "/v1/documents", files={"file": ("heron.txt", b"The heron count of May is 42.")}
        )
        assert (sent.status_code, running.stop()) == (202, 0)
    with serve(tmp_path / "data") as running:

        def answered() -> Any:
            question = {"query": "What is the heron count of May?"}
            answer = running.http.post("/v1/query", json=question).json()
            return "42" in answer["answer"] and answer

        answer = wait_for(answered, "the document is lost")
        assert answer["sources"][0]["doc_id"] == sent.json()["id"]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"RAG_GENERATOR__KIND": "extractve"}, "did you mean 'extractive'?"),
        ({"RAG_CACHE__TTL": "5"}, "unknown option 'ttl'"),
        ({"RAG_PROFLIE": "mock"}, "unknown environment variable 'RAG_PROFLIE'"),
        ({"RAG_WORKSPACE__GENERATOR": "cheep"}, "there is no generator named 'cheep'"),
        ({"RAG_RETRIEVER__CORPUS": "nowhere.json"}, "corpus cannot be read"),
        ({"RAG_EMBEDDER__KIND": "onnx", "RAG_MODELS": "nowhere"}, "rag models pull"),
    ],
    ids=["kind", "option", "variable", "name", "corpus", "model"],
)
def test_a_broken_configuration_ends_with_status_2_and_one_line(
    tmp_path: Path, variables: dict[str, str], sentence: str
):
    ended = run_rag("serve", "--port", "0", env=environment(tmp_path / "data", **variables))

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert sentence in ended.stderr


def test_a_port_that_is_taken_ends_with_a_reason(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ended = run_rag("serve", "--port", port, env=environment(tmp_path / "data"))

    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert "address already in use" in ended.stderr


def test_the_command_is_installed():
    assert RAG.is_file()
