"""What every face of the service counts of a question, once it has been answered."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.domain.analytics import outcome_of
from orchestrator.domain.answers import Answer, Query
from orchestrator.domain.context import spent
from orchestrator.domain.passages import Retrieval
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.recorder import Recorder


def count_answer(
    metrics: Metrics, recorder: Recorder, asked: Query, answer: Answer, seconds: float
) -> None:
    """Count an answer that took so long from the question to its end."""
    meta = answer.meta
    notes = {"degraded": bool(meta.degraded), "cached": meta.cache_hit}
    recorder.searched(
        asked.scope.workspace,
        asked.text,
        ("found" if answer.answerable else "weak") if answer.sources else "none",
        {**meta.timings_ms, "total": seconds * 1e3},
        notes=[name for name, noted in notes.items() if noted],
        understood=meta.query,
        usage=[one.usage for one in meta.spent],
    )
    metrics.queries.inc()
    metrics.query_seconds.observe(seconds)
    (metrics.cache_hits if meta.cache_hit else metrics.cache_misses).inc()
    if not answer.answerable:
        metrics.unanswerable.inc()
    for dependency in meta.degraded:
        metrics.degraded.labels(dependency).inc()


def count_search(
    recorder: Recorder, asked: Query, found: Retrieval, timings: Mapping[str, float]
) -> None:
    """Count a search, within its request; `timings` are in milliseconds, `total` among them."""
    recorder.searched(
        asked.scope.workspace,
        asked.text,
        outcome_of(
            found.passages, fused=found.fusion is not None, weak_cosine=recorder.weak_cosine
        ),
        timings,
        notes=("degraded",) if found.degraded else (),
        understood=found.understood,
        usage=[one.usage for one in spent()],
    )
