"""What background work has to tell, as logs and metrics."""

from __future__ import annotations

import time
from typing import Final

import structlog

from orchestrator.domain.errors import RagError, Unavailable
from orchestrator.ingestion.pace import Pace
from orchestrator.ingestion.worker import Ingested
from orchestrator.telemetry.metrics import FORMATS, Metrics

log = structlog.get_logger(__name__)


LATELY_S: Final = 15.0


class Telemetry:
    """The observer of the library, of ingestion and of the worker; `pace` is the worker's."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.pace = Pace()
        self._waits: tuple[float, str] = (-LATELY_S, "")

    def dropped(self, workspace: str, chunk_id: int) -> None:
        """Count and log a chunk that hydration had to hold back."""
        self.metrics.hydration_drops.inc()
        log.warning("hydration_drop", workspace=workspace, chunk_id=chunk_id)

    def stumbled(self, workspace: str, error: BaseException) -> None:
        """Log an error of background work on a workspace."""
        log.error("follower_failed", workspace=workspace, error=str(error))

    def ingested(self, one: Ingested) -> None:
        """Count a document's outcome, bytes and seconds, and log why it failed."""
        self._waits = (-LATELY_S, "")
        kind = FORMATS.get(one.media_type, "other")
        self.metrics.documents.labels(one.outcome, kind).inc()
        self.metrics.ingestion_bytes.labels(kind).inc(one.size)
        for stage, seconds in one.seconds.items():
            self.metrics.ingestion_seconds.labels(kind, stage).observe(seconds)
        if one.reason is not None:
            log.warning("document_failed", document_id=one.document_id, reason=one.reason)

    def worked(self, documents: int, seconds: float) -> None:
        """Learn how fast documents are worked on."""
        self.pace.worked(documents, seconds)

    def purge_failed(self, document_id: str, error: BaseException) -> None:
        """Log a purge that ended before it had tried every store."""
        log.error("purge_failed", document_id=document_id, error=repr(error))

    def errand_failed(self, place: str, error: BaseException) -> None:
        """Log a path or URL that could not be read, for a reason that nobody foresaw."""
        log.error("errand_failed", place=place, error=repr(error), exc_info=error)

    async def ping(self) -> None:
        """Say what ingestion waits for, if it did lately and has not come on since.

        Raises:
            Unavailable: when it does.
        """
        at, what = self._waits
        if time.monotonic() - at < LATELY_S:
            raise Unavailable("ingestion", what)

    def worker_waits(self, error: RagError) -> None:
        """Log what the worker waits for."""
        self._waits = (time.monotonic(), error.detail)
        log.warning("worker_waits", error=error.detail)
