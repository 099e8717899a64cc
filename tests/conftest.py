"""What every test shares: no network but loopback, the real embedding model, an empty catalog."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.catalog.sqlite import open_sqlite

MODEL = Path(__file__).parents[1] / ".models" / "all-MiniLM-L6-v2"


class NetworkUsed(RuntimeError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that leave this machine."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _loopback(str(address[0])):
            raise NetworkUsed(f"a test connects to {address}: only loopback is allowed")
        return connect(self, address)

    return guarded


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty catalog, made once by the migrations."""
    path = tmp_path_factory.mktemp("catalog") / "empty.db"
    async with open_sqlite(path):
        pass
    return path


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The published embedding model, fetched once: from `RAG_TEST_MODEL`, or `.models`."""
    from adapters.embedder.pulling import pull, verified

    folder = Path(os.environ.get("RAG_TEST_MODEL", MODEL))
    if not verified(folder):
        pull(folder, "auto")
    return folder
