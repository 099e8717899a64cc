"""Connections to servers of models, as the settings of the machine want them."""

from __future__ import annotations

import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from adapters.generator.connecting import connected
from adapters.generator.waiting import Patience

PATIENCE = Patience(connect_s=1, first_token_s=10, idle_s=10)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def transport(url: str) -> httpx.AsyncBaseTransport:
    return connected(PATIENCE)._transport_for_url(httpx.URL(url))


def test_streams_are_read_by_aiohttp(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "localhost")

    assert isinstance(transport("https://models.example"), AiohttpTransport)


def test_a_proxy_is_asked_where_one_is_set(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    asked, plain = transport("https://models.example"), transport("http://models.example")

    assert "proxy.example" in repr(asked._pool._proxy_url)
    assert isinstance(plain, httpx.AsyncHTTPTransport)
    assert asked is not plain
