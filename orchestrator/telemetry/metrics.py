"""The metrics of the service. No label ever has unbounded values."""

from __future__ import annotations

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from orchestrator.domain.documents import QA_MEDIA_TYPE

FORMATS: Final = {
    "application/json": "json",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/zip": "zip",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/plain": "text",
    "text/tab-separated-values": "csv",
    QA_MEDIA_TYPE: "qa",
}
"""The label of each media type; any other is `other`."""
LONG_SECONDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Every metric, in one registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.queries = Counter("rag_queries", "Questions asked.", registry=registry)
        self.cache_hits = Counter("rag_cache_hits", "Answers from the cache.", registry=registry)
        self.cache_misses = Counter("rag_cache_misses", "Answers made anew.", registry=registry)
        self.degraded = Counter(
            "rag_degraded", "Answers given without a dependency.", ["dependency"], registry=registry
        )
        self.unanswerable = Counter(
            "rag_unanswerable", "Questions that the documents do not answer.", registry=registry
        )
        self.searches = Counter(
            "rag_searches",
            "Searches and questions by what came of them.",
            ["outcome"],
            registry=registry,
        )
        self.search_trials = Counter(
            "rag_search_trials", "Searches with settings that were only tried.", registry=registry
        )
        self.query_seconds = Histogram(
            "rag_query_duration_seconds",
            "From a question to the end of its answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self.stage_seconds = Histogram(
            "rag_stage_duration_seconds",
            "Time in one stage.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.active = Gauge("rag_active_requests", "Requests in progress.", registry=registry)
        self.open_sockets = Gauge(
            "rag_open_sockets", "WebSockets that are open.", registry=registry
        )
        self.errors = Counter("rag_errors", "Errors by code.", ["code"], registry=registry)
        self.documents = Counter(
            "rag_documents",
            "Documents that came to an end.",
            ["outcome", "format"],
            registry=registry,
        )
        self.ingestion_seconds = Histogram(
            "rag_ingestion_duration_seconds",
            "Time of a document in one stage, or in all.",
            ["format", "stage"],
            buckets=LONG_SECONDS,
            registry=registry,
        )
        self.ingestion_bytes = Counter(
            "rag_ingestion_bytes",
            "Size of the documents that came to an end.",
            ["format"],
            registry=registry,
        )
        self.queue_depth = Gauge(
            "rag_queue_depth",
            "Documents that no worker has begun; -1 while nobody can tell.",
            registry=registry,
        )
        self.queue_oldest = Gauge(
            "rag_queue_oldest_seconds",
            "For how long the oldest of them has waited; -1 while nobody can tell.",
            registry=registry,
        )
        self.rerank_skipped = Counter(
            "rag_rerank_skipped",
            "Questions whose first passage was so far ahead that none were reranked.",
            registry=registry,
        )
        self.model_texts = Counter(
            "rag_model_texts",
            "Texts embedded or judged for a client, outside of questions and documents.",
            ["task"],
            registry=registry,
        )
        self.first_token_seconds = Histogram(
            "rag_time_to_first_token_seconds",
            "From the passages to the first word of an answer.",
            buckets=SECONDS,
            registry=registry,
        )
        self.generation_tokens = Counter(
            "rag_generation_tokens",
            "Tokens that language models read and wrote.",
            ["model", "direction", "purpose"],
            registry=registry,
        )
        self.generation_cost = Counter(
            "rag_generation_cost",
            "What they cost, where the prices are known.",
            ["model", "purpose"],
            registry=registry,
        )
        self.generation_streams = Gauge(
            "rag_generation_streams",
            "Answers that a language model writes, or that wait for it.",
            ["backend", "state"],
            registry=registry,
        )
        self.generation_retries = Counter(
            "rag_generation_retries",
            "Further attempts at a language model, by why.",
            ["backend", "reason"],
            registry=registry,
        )
        self.generation_refusals = Counter(
            "rag_generation_refusals",
            "Answers for which a language model had too much to do here.",
            ["backend"],
            registry=registry,
        )
        self.generation_fallbacks = Counter(
            "rag_generation_fallbacks",
            "Generators that were passed over for the next, by why.",
            ["backend", "reason"],
            registry=registry,
        )
        self.breaker_state = Gauge(
            "rag_breaker_state",
            "Of a language model's circuit breaker: 0 closed, 1 half open, 2 open.",
            ["backend"],
            registry=registry,
        )
        self.breaker_openings = Counter(
            "rag_breaker_openings",
            "How often it opened.",
            ["backend"],
            registry=registry,
        )
        self.hydration_drops = Counter(
            "rag_hydration_drops",
            "Chunks that a search returned and its scope must not see: each is a defect.",
            registry=registry,
        )
