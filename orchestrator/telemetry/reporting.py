"""What a worker process tells the server that started it: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import BinaryIO

from orchestrator.domain.errors import RagError
from orchestrator.ingestion.worker import Ingested
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry


class Reporter(Telemetry):
    """Writes what `heed` reads; what else there is to tell, it logs itself."""

    def __init__(self, metrics: Metrics, sink: BinaryIO) -> None:
        super().__init__(metrics)
        self._sink = sink

    def ready(self) -> None:
        """Tell that work can begin."""
        self._tell("ready")

    def ingested(self, one: Ingested) -> None:
        """Tell of a document's end."""
        self._tell("ingested", **asdict(one))

    def worked(self, documents: int, seconds: float) -> None:
        """Tell how fast documents are worked on."""
        self._tell("worked", documents=documents, seconds=seconds)

    def worker_waits(self, error: RagError) -> None:
        """Tell what work waits for."""
        self._tell("waits", detail=error.detail)

    def _tell(self, what: str, **values: object) -> None:
        line = json.dumps({"what": what, **values}).encode() + b"\n"
        try:
            self._sink.write(line)
            self._sink.flush()
        except BrokenPipeError:  # the server is gone, and this process is about to be
            return


def heed(line: bytes, telemetry: Telemetry) -> None:
    """Take a line of a `Reporter` for this process's own."""
    told = json.loads(line)
    match told.pop("what"):
        case "ingested":
            telemetry.ingested(Ingested(**told))
        case "worked":
            telemetry.worked(**told)
        case "waits":
            telemetry.worker_waits(RagError(told["detail"]))
