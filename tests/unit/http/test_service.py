"""The service over an open deployment: workspaces, health, metrics, and one document's life."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from orchestrator import __version__
from orchestrator.domain.errors import Misconfigured
from orchestrator.http.app import create_app
from orchestrator.settings import STAGES, load
from orchestrator.telemetry.metrics import Metrics
from tests.unit.fakes import until


@asynccontextmanager
async def serving(data_dir: Path, **values: Any) -> AsyncIterator[httpx.AsyncClient]:
    settings = load(profile="mock", data_dir=data_dir, retriever={"kind": "hybrid"}, **values)
    app = create_app(settings, Metrics(CollectorRegistry()))
    transport = httpx.ASGITransport(app)
    thresholds = gc.get_threshold()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://rag") as client,
    ):
        client.app = app
        yield client
    gc.unfreeze()  # what a service does to the garbage collector is for its own process
    gc.set_threshold(*thresholds)


@pytest.fixture
async def http(data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(data_dir, generators={"cheap": {"kind": "mock"}}) as client:
        yield client


async def config(http, name="legal"):
    return (await http.get(f"/v1/workspaces/{name}")).json()


async def test_a_workspace_is_created_with_the_deployments_configuration(http):
    response = await http.post("/v1/workspaces", json={"name": "legal"})

    body = response.json()
    assert (response.status_code, response.headers["location"]) == (201, "/v1/workspaces/legal")
    assert (body["name"], body["revision"], body["config_version"]) == ("legal", 0, 1)
    assert body["config"] == (await config(http, "default"))["config"]
    assert [one["name"] for one in (await http.get("/v1/workspaces")).json()] == [
        "default",
        "legal",
    ]


async def test_a_workspace_may_come_with_a_configuration(http):
    chosen = {"generator": "cheap", "fusion": {"method": "rrf"}}

    await http.post("/v1/workspaces", json={"name": "legal", "config": chosen})

    found = (await config(http))["config"]
    assert (found["generator"], found["fusion"]["method"]) == ("cheap", "rrf")


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"name": "Legal!"}, 422, "invalid_workspace", "is not a name"),
        ({"name": "default"}, 409, "workspace_exists", "exists already"),
        (
            {"name": "legal", "config": {"generator": "cheep"}},
            422,
            "unknown_backend",
            "there is no generator named 'cheep': did you mean 'cheap'?",
        ),
        ({"name": "legal", "config": {"depth": 0}}, 422, "invalid_request", "depth is 1 to 1000"),
        ({"config": {}}, 422, "invalid_request", "name"),
    ],
)
async def test_a_workspace_that_cannot_be_is_refused(http, body, status, code, words):
    response = await http.post("/v1/workspaces", json=body)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert words in response.json()["detail"]


async def test_a_configuration_is_changed_and_rolled_back(http):
    await http.post("/v1/workspaces", json={"name": "legal"})
    first = (await config(http))["config"]
    changed = {**first, "depth": 7}

    put = {"config": changed, "expected_version": 1}
    assert (await http.put("/v1/workspaces/legal/config", json=put)).status_code == 200
    await http.post("/v1/workspaces/legal/rollback", json={"version": 1})

    now = await config(http)
    assert (now["config_version"], now["config"]) == (3, first)
    assert now["versions"] == {"1": first, "2": changed, "3": first}


async def test_a_change_of_what_was_not_read_is_a_conflict(http):
    await http.post("/v1/workspaces", json={"name": "legal"})
    put = {"config": {"depth": 7}, "expected_version": 4}

    response = await http.put("/v1/workspaces/legal/config", json=put)

    assert (response.status_code, response.json()["code"]) == (409, "stale_configuration")


async def test_a_version_that_never_was_cannot_be_rolled_back_to(http):
    await http.post("/v1/workspaces", json={"name": "legal"})

    response = await http.post("/v1/workspaces/legal/rollback", json={"version": 9})

    body = response.json()
    assert (response.status_code, body["code"], body["field"]) == (
        404,
        "unknown_version",
        "version",
    )


async def test_a_deleted_workspace_is_gone(http):
    await http.post("/v1/workspaces", json={"name": "legal"})

    response = await http.delete("/v1/workspaces/legal")

    assert (response.status_code, response.content) == (204, b"")
    assert (await http.get("/v1/workspaces/legal")).status_code == 404
    assert (await http.delete("/v1/workspaces/legal")).status_code == 404


async def test_a_document_is_uploaded_answered_from_and_deleted(http):
    sent = await http.post(
        "/v1/documents",
        files={"file": ("refunds.txt", b"Refunds are paid within 7 days of purchase.")},
    )
    location = sent.headers["location"]

    async with asyncio.timeout(60):
        while (found := (await http.get(location)).json())["status"] != "indexed":
            assert found["status"] in {"queued", "processing"}
            await asyncio.sleep(0.01)
    question = {"query": "When are refunds paid?"}
    answer = (await http.post("/v1/query", json=question)).json()
    again = (await http.post("/v1/query", json=question)).json()
    receipt = (await http.delete(location)).json()
    after = (await http.post("/v1/query", json=question)).json()

    assert answer["answer"] == "Refunds are paid within 7 days of purchase. [1]"
    assert (answer["meta"]["cache_hit"], again["meta"]["cache_hit"]) == (False, True)
    assert {"cache", "embed", "retrieve", "generate"} <= answer["meta"]["timings_ms"].keys()
    assert receipt["complete"] is True
    assert (after["sources"], after["answerable"]) == ([], False)
    metrics = (await http.get("/metrics")).text
    assert "rag_queries_total 3.0" in metrics
    assert 'rag_documents_total{format="text",outcome="indexed"} 1.0' in metrics


async def test_a_service_that_lacks_nothing_is_ready(http):
    ready, whole = await http.get("/health/ready"), await http.get("/health")

    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ok",
        "down": [],
        "dependencies": {
            "catalog": "up",
            "blobs": "up",
            "cache": "up",
            "parser": "up",
            "scanner": "up",
            "queue": "up",
            "ingestion": "up",
        },
        "version": __version__,
    }
    assert whole.json() == ready.json()


async def test_a_service_whose_worker_has_stopped_is_not_ready(http):
    health = http.app.state.application.health
    worker = health._tasks["worker"]
    worker.cancel()
    await until(worker.done)

    ready, whole = await http.get("/health/ready"), await http.get("/health")

    assert (ready.status_code, whole.status_code) == (503, 200)
    assert (whole.json()["status"], whole.json()["down"]) == ("down", ["worker"])


async def test_a_process_that_turns_is_alive(http):
    http.app.state.application = SimpleNamespace()  # nobody is asked

    assert (await http.get("/health/live")).json() == {"status": "ok"}


async def test_the_api_describes_itself(http):
    described = (await http.get("/openapi.json")).json()

    assert {"/v1/query", "/v1/search", "/v1/documents", "/v1/workspaces"} <= described[
        "paths"
    ].keys()
    assert described["info"]["version"] == __version__


ANOTHER = {
    "cache": {"kind": "memory"},
    "embedder": {"kind": "mock"},
    "vectors": {"kind": "memory"},
    "keywords": {"kind": "rank-bm25"},
    "retriever": {"kind": "keyword"},
    "reranker": {"kind": "none"},
    "generator": {"kind": "mock"},
}


@pytest.mark.parametrize("stage", ANOTHER)
@pytest.mark.parametrize("name", ["legal", "default"])
async def test_a_workspace_whose_backend_is_gone_says_so_and_disturbs_no_other(
    data_dir, stage, name
):
    other = {"legal": "default", "default": "legal"}[name]
    async with serving(data_dir, **{STAGES[stage]: {"gone": ANOTHER[stage]}}) as http:
        await http.post("/v1/workspaces", json={"name": "legal"})
        put = {"config": {stage: "gone"}, "expected_version": 1}
        assert (await http.put(f"/v1/workspaces/{name}/config", json=put)).status_code == 200

    async with serving(data_dir) as http:
        for path in ("/v1/query", "/v1/search"):
            refused = await http.post(path, json={"query": "Paid?", "workspace": name})
            served = await http.post(path, json={"query": "Paid?", "workspace": other})

            problem = refused.json()
            assert (refused.status_code, problem["code"]) == (409, "workspace_unusable")
            assert f"there is no {stage} named 'gone'" in problem["detail"]
            assert f"PUT /v1/workspaces/{name}/config" in problem["detail"]
            assert served.status_code == 200

        put = {"config": {}, "expected_version": 2}
        assert (await http.put(f"/v1/workspaces/{name}/config", json=put)).status_code == 200
        asked = await http.post("/v1/query", json={"query": "Paid?", "workspace": name})
        assert asked.status_code == 200


async def test_a_deployment_that_cannot_be_opened_stops_the_start_and_says_why(data_dir):
    settings = load(profile="mock", data_dir=data_dir, workspace={"generator": "cheap"})
    app = create_app(settings, Metrics(CollectorRegistry()))

    with pytest.raises(Misconfigured, match="no generator named 'cheap'"):
        async with app.router.lifespan_context(app):
            pass

    assert "no generator named 'cheap'" in app.state.refused.detail
