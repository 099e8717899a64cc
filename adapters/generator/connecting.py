"""Connections to servers of models: any number at once, each as patient as its request is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx

from adapters.generator.waiting import Patience

KEPT: Final = 100
"""Connections that are kept for the next requests."""


def connected(
    patience: Patience, base_url: str = "", headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client that gives up only connecting by itself; it follows no redirect with a key."""
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT),
        timeout=httpx.Timeout(None, connect=patience.connect_s),
    )
