"""Connections to servers of models: any number at once, each as patient as its request is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from adapters.bounding import PLAIN, bounded
from adapters.generator.waiting import Patience

KEPT: Final = 100
"""Connections that are kept for the next requests."""
KEPT_S: Final = 5.0
"""For which they are: servers close theirs not much later."""
LONGEST: Final = 4_000_000
"""Bytes of a response that is no stream of events; what is longer is not read."""


def connected(
    patience: Patience, base_url: str = "", headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """A client that gives up only connecting by itself; it follows no redirect with a key.

    What it reads at once is bounded: a server can fill no memory, and nothing is unpacked.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        headers={**PLAIN, **(headers or {})},
        limits=httpx.Limits(
            max_connections=None, max_keepalive_connections=KEPT, keepalive_expiry=KEPT_S
        ),
        timeout=httpx.Timeout(None, connect=patience.connect_s),
        transport=_transport(),
        event_hooks=bounded(LONGEST),
    )


def _transport() -> httpx.AsyncBaseTransport | None:
    """aiohttp, which reads a stream at a third of the cost; behind a proxy, what httpx has."""
    if getproxies().keys() - {"no"}:
        return None
    trusted = httpx.create_ssl_context()
    return AiohttpTransport(
        verify=trusted,
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
        ),
    )
