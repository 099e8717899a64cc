"""`rag models pull`."""

from __future__ import annotations

from adapters.embedder import pulling
from orchestrator.cli.console import err, out
from orchestrator.settings import load


def pull(source: str) -> None:
    """Fetch and verify, unless the model is there already."""
    folder = load().models_dir / pulling.NAME
    if pulling.verified(folder):
        out.print(f"{pulling.NAME} is in {folder}")
        return
    with err.status(f"fetching {pulling.NAME}"):
        origin = pulling.pull(folder, source)
    out.print(f"{pulling.NAME} is in {folder}, from {origin}")
