"""Servers, workers and parsers killed while a batch is on its way: every document, exactly once."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.parser import child
from tests.live.processes import Served, children, environment, serve, start_rag, wait_for
from tests.scale import scaled
from tests.servers import NewCluster

FILES = scaled(500, 200)
KILLS = scaled(20, 6)
SEED = 20261
ON_DISK = {
    "RAG_EMBEDDER__KIND": "mock",
    "RAG_VECTORS__KIND": "faiss",
    "RAG_KEYWORDS__KIND": "tantivy",
    "RAG_RETRIEVER__KIND": "hybrid",
}


def code(number: int) -> str:
    return f"kestrel{number:04d}x"


def text(number: int) -> str:
    return f"# Note {number}\n\nIts code is {code(number)}.\n"


def files() -> list[tuple[str, tuple[str, bytes]]]:
    return [
        (
            "files",
            (f"note-{number:04d}.md", f"# Note {number}\n\nIts code is {code(number)}.\n".encode()),
        )
        for number in range(FILES)
    ]


class Sender:
    """Sends the batch, and again when the server dies over it, until it is accepted."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.job = ""
        self.tries = 0
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        while not self.job:
            self.tries += 1
            try:
                sent = self.served.http.post("/v1/documents:batch", files=files(), timeout=120)
            except (
                httpx.TransportError,
                RuntimeError,
            ):  # its server died
                time.sleep(0.1)
                continue
            assert sent.status_code == 202, sent.text
            self.job = sent.headers["location"]


def indexed(served: Served) -> int:
    page = served.http.get("/metrics").text
    return sum(
        int(float(line.rpartition(" ")[2]))
        for line in page.splitlines()
        if line.startswith("rag_documents_total{") and 'outcome="indexed"' in line
    )


def standing(served: Served, job: str) -> dict[str, int]:
    found: dict[str, int] = served.http.get(job).json()["by_status"]
    return found


def assert_whole(served: Served) -> None:
    """Every file once: listed, of one chunk, and found by its code."""
    listed: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = served.http.get("/v1/documents", params=query).json()
        listed += page["documents"]
        if not page["next"]:
            break
        query["after"] = page["next"]
    notes = [one for one in listed if one["source_id"].startswith("note-")]
    assert len({one["source_id"] for one in notes}) == len(notes) == FILES
    assert {(one["status"], one["chunks"], one["version"]) for one in notes} == {("indexed", 1, 1)}
    for number in range(FILES):
        asked = {"query": code(number), "mode": "keyword", "top_k": 5}
        hits = served.http.post("/v1/search", json=asked).json()["hits"]
        assert [code(number) in one["snippet"] for one in hits] == [True], number


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it was recycled a moment ago
            continue


@pytest.mark.slow
def test_kills_of_server_worker_and_parser_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    variables = {**ON_DISK, "RAG_WORKER__PLACEMENT": "subprocess", "RAG_PARSING__PROCESSES": "2"}
    killed = {"server": 0, "worker": 0, "parser": 0}
    with ExitStack() as stack:
        served = stack.enter_context(serve(tmp_path / "data", **variables))
        sender = Sender(served)
        for victim in itertools.islice(itertools.cycle(killed), KILLS):
            time.sleep(chance.uniform(0.0, 1.5))
            workers = children(served.process.pid, "orchestrator.cli")
            if victim == "server":
                stack.close()
                served = sender.served = stack.enter_context(serve(tmp_path / "data", **variables))
            elif victim == "worker":
                kill(workers)
            else:
                parsers = [one for pid in workers for one in children(pid, child.__name__)]
                kill(parsers[:1])
            killed[victim] += 1

        wait_for(lambda: sender.job, "the batch was never accepted", seconds=120)
        wait_for(
            lambda: standing(served, sender.job).get("indexed") == FILES,
            "the batch came to no end",
            seconds=120,
        )

        print(f"{killed}; the batch was sent {sender.tries} times")  # figures
        assert_whole(served)


@contextmanager
def worker(folder: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`rag worker` on a machine of its own, once it works."""
    errors = folder.parent / f"{folder.name}.log"
    process = start_rag("worker", env=environment(folder, "cluster", **variables), errors=errors)
    with process:
        try:
            wait_for(
                lambda: "worker_started" in errors.read_text() or process.poll() is not None,
                "the worker did not start",
            )
            assert process.poll() is None, errors.read_text()
            yield process
        finally:
            process.kill()


@pytest.fixture
def cluster(new_cluster: NewCluster) -> dict[str, str]:
    """What `rag serve` and `rag worker` are told of the servers of a cluster."""
    return {**ON_DISK, **new_cluster()}


@pytest.mark.slow
def test_a_batch_survives_the_death_of_one_of_two_workers_of_a_cluster(
    tmp_path: Path, cluster: dict[str, str]
) -> None:
    with (
        serve(tmp_path / "api", "cluster", **cluster) as served,
        worker(tmp_path / "one", cluster) as first,
        worker(tmp_path / "two", cluster) as second,
    ):
        sender = Sender(served)
        wait_for(lambda: sender.job, "the batch was never accepted", seconds=120)
        wait_for(
            lambda: standing(served, sender.job).get("indexed", 0) >= FILES // 20,
            "nothing was indexed",
            seconds=60,
        )
        first.kill()
        before = standing(served, sender.job)
        wait_for(
            lambda: standing(served, sender.job).get("indexed") == FILES,
            "the batch came to no end",
            seconds=180,
        )

        print(f"one of two workers was killed at {before}")  # figures
        assert before["indexed"] < FILES
        assert second.poll() is None
        assert_whole(served)
        asked = {"query": f"What is the code of note 7? {code(7)}"}
        answers = [served.http.post("/v1/query", json=asked).json() for _ in range(2)]
        assert [one["meta"]["cache_hit"] for one in answers] == [False, True]
