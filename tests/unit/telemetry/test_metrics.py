"""The names under which a service is watched."""

from __future__ import annotations

from functools import partial

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from orchestrator.domain.errors import Unavailable
from orchestrator.ingestion.worker import Ingested
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_metrics_have_the_names_that_dashboards_use(metrics):
    names = {one.name: one.type for one in metrics.registry.collect()}

    assert names == {
        "rag_queries": "counter",
        "rag_cache_hits": "counter",
        "rag_cache_misses": "counter",
        "rag_degraded": "counter",
        "rag_unanswerable": "counter",
        "rag_searches": "counter",
        "rag_search_trials": "counter",
        "rag_query_duration_seconds": "histogram",
        "rag_stage_duration_seconds": "histogram",
        "rag_active_requests": "gauge",
        "rag_open_sockets": "gauge",
        "rag_errors": "counter",
        "rag_documents": "counter",
        "rag_ingestion_duration_seconds": "histogram",
        "rag_ingestion_bytes": "counter",
        "rag_queue_depth": "gauge",
        "rag_queue_oldest_seconds": "gauge",
        "rag_rerank_skipped": "counter",
        "rag_model_texts": "counter",
        "rag_hydration_drops": "counter",
        "rag_time_to_first_token_seconds": "histogram",
        "rag_generation_tokens": "counter",
        "rag_generation_cost": "counter",
        "rag_generation_streams": "gauge",
        "rag_generation_retries": "counter",
        "rag_generation_refusals": "counter",
        "rag_generation_fallbacks": "counter",
        "rag_breaker_state": "gauge",
        "rag_breaker_openings": "counter",
    }


def test_every_metric_says_what_it_counts(metrics):
    assert all(one.documentation.endswith((".", "defect.")) for one in metrics.registry.collect())
    assert b"rag_queries_total 0.0" in generate_latest(metrics.registry)


def test_two_registries_do_not_share_a_metric(metrics):
    other = Metrics(CollectorRegistry())

    metrics.queries.inc()

    assert value(metrics, "rag_queries_total") == 1
    assert value(other, "rag_queries_total") == 0


def test_a_dropped_chunk_is_counted(metrics):
    Telemetry(metrics).dropped("legal", 7)

    assert value(metrics, "rag_hydration_drops_total") == 1


def test_documents_are_counted_by_their_outcome(metrics):
    telemetry = Telemetry(metrics)

    telemetry.ingested(Ingested("d1", "application/pdf", 10))
    telemetry.ingested(Ingested("d2", "application/pdf", 10, warnings=1))
    telemetry.ingested(Ingested("d3", "text/plain", 10, reason="not text"))
    telemetry.ingested(Ingested("d4", "text/x-new", 10, reason="not text"))

    counted = partial(value, metrics, "rag_documents_total")
    assert counted(outcome="indexed", format="pdf") == 1
    assert counted(outcome="partial", format="pdf") == 1
    assert counted(outcome="failed", format="text") == 1
    assert counted(outcome="failed", format="other") == 1


def test_seconds_and_bytes_of_documents_are_told_by_format_and_stage(metrics):
    telemetry = Telemetry(metrics)

    telemetry.ingested(Ingested("d1", "application/pdf", 10, {"parsing": 1.5, "total": 4.0}))
    telemetry.ingested(Ingested("d2", "application/pdf", 30, {"parsing": 0.5}, reason="broken"))

    seconds = partial(value, metrics, "rag_ingestion_duration_seconds_sum", format="pdf")
    assert value(metrics, "rag_ingestion_bytes_total", format="pdf") == 40
    assert (seconds(stage="parsing"), seconds(stage="total")) == (2.0, 4.0)


def test_troubles_of_background_work_are_logged(metrics, capsys):
    telemetry = Telemetry(metrics)

    telemetry.stumbled("legal", Unavailable("catalog", "locked"))
    telemetry.worker_waits(Unavailable("blobs", "gone"))
    telemetry.ingested(Ingested("d2", "text/plain", 10, reason="not text"))
    telemetry.purge_failed("d3", ValueError("a defect"))

    text = "".join(capsys.readouterr())
    for word in (
        "follower_failed",
        "catalog is unavailable: locked",
        "worker_waits",
        "not text",
        "purge_failed",
        "ValueError('a defect')",
    ):
        assert word in text


async def test_what_ingestion_waits_for_is_told_until_it_comes_on(metrics):
    telemetry = Telemetry(metrics)
    await telemetry.ping()

    telemetry.worker_waits(Unavailable("catalog", "database or disk is full"))
    with pytest.raises(Unavailable, match="disk is full"):
        await telemetry.ping()
    telemetry.ingested(Ingested("d1", "text/plain", 10))

    await telemetry.ping()
