"""What background work has to tell, as logs and metrics."""

from __future__ import annotations

import structlog

from orchestrator.domain.errors import RagError
from orchestrator.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


class Telemetry:
    """The observer of the library, of ingestion and of the worker."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def dropped(self, workspace: str, chunk_id: int) -> None:
        """Count and log a chunk that hydration had to hold back."""
        self.metrics.hydration_drops.inc()
        log.warning("hydration_drop", workspace=workspace, chunk_id=chunk_id)

    def stumbled(self, workspace: str, error: BaseException) -> None:
        """Log an error of background work on a workspace."""
        log.error("follower_failed", workspace=workspace, error=str(error))

    def ingested(self, document_id: str, error: str | None) -> None:
        """Count a document's outcome, and log why it failed."""
        self.metrics.documents.labels("failed" if error else "indexed").inc()
        if error:
            log.warning("document_failed", document_id=document_id, reason=error)

    def purge_failed(self, document_id: str, error: BaseException) -> None:
        """Log a purge that ended before it had tried every store."""
        log.error("purge_failed", document_id=document_id, error=repr(error))

    def errand_failed(self, place: str, error: BaseException) -> None:
        """Log a path or URL that could not be read, for a reason that nobody foresaw."""
        log.error("errand_failed", place=place, error=repr(error), exc_info=error)

    def worker_waits(self, error: RagError) -> None:
        """Log what the worker waits for."""
        log.warning("worker_waits", error=error.detail)
