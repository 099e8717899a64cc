"""The command line: `rag …`."""

from orchestrator.cli.main import main

__all__ = ["main"]
