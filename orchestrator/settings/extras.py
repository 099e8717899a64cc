"""Libraries that only some deployments install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.domain.errors import Misconfigured


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Say what to install where a library is missing."""
    try:
        yield
    except ImportError as error:
        raise Misconfigured(
            f"{error.name} is not installed: pip install 'rag-orchestrator[{name}]'"
        ) from error
