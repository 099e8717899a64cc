"""What ingestion takes and what it takes away from queries: `rag serve` with its own workers.

    python benchmarks/ingestion.py batches [COUNT]   two batches of mixed files, 1,000 each
    python benchmarks/ingestion.py large             PDFs of 100 MB, of 5,000 pages, and too big

Needs the model of the `local` profile (`rag models pull`) and the packages of `[dev]`. Queries are
asked at a steady rate, each only once, so that none comes from the cache; memory is what is
resident, read from the kernel four times a second.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from documents import long_pdf, mixed_files, padded_pdf
from servers import free_port, rag, serving

BATCH = 1_000
QUERIES_PER_S = 5.0
QUIET_S = 20.0
WARM_UP = 25
PATIENCE_S = 1_800.0
MB = 1_000_000


def main() -> None:
    """Run what is named."""
    match sys.argv[1:]:
        case ["batches", *count]:
            batches(int(count[0]) if count else BATCH)
        case ["large"]:
            large()
        case _:
            raise SystemExit(__doc__)


def batches(count: int) -> None:
    """Two batches, one after the other, with queries before and during."""
    with service() as (client, memory):
        print(f"{'':24}{'before':>9}{'first':>9}{'second':>9}")
        seed(client)
        with Asking(client) as asking:
            asking.rest(WARM_UP / QUERIES_PER_S)
            asking.latencies.clear()
            asking.rest(QUIET_S)
            before = asking.taken()
            runs = [run_batch(client, asking, memory, count, number) for number in (1, 2)]
        asked = [before, *(run.queries for run in runs)]
        rows = {
            "query p50, ms": [percentile(one, 0.5) for one in asked],
            "query p95, ms": [percentile(one, 0.95) for one in asked],
            "queries": [len(one) for one in asked],
            "answered, s": [None, *(run.accepted_s for run in runs)],
            "indexed, s": [None, *(run.took_s for run in runs)],
            "documents/s": [None, *(count / run.took_s for run in runs)],
            "chunks/s": [None, *(run.chunks / run.took_s for run in runs)],
            **{
                f"{role}, peak MB": [None, *(run.peak[role] for run in runs)]
                for role in ("server", "worker", "parser")
            },
            **{
                f"{role}, MB after": [None, *(run.after[role] for run in runs)]
                for role in ("server", "server's files", "worker", "parser")
            },
        }
        for name, values in rows.items():
            print(f"{name:24}" + "".join(f"{shown(value):>9}" for value in values))
        for number, run in enumerate(runs, start=1):
            print(f"batch {number}: {dict(run.outcomes)}; errors of queries: {run.errors}")


class Run:
    """What one batch came to."""

    queries: Sequence[float]
    outcomes: Counter[str]
    errors: int
    accepted_s: float
    took_s: float
    chunks: int
    peak: dict[str, float]
    after: dict[str, float]


def run_batch(client: httpx.Client, asking: Asking, memory: Memory, count: int, number: int) -> Run:
    """Send the files in one request, and follow its job to the end."""
    files = mixed_files(count, seed=number)
    held = chunks_of(client)
    memory.forget()
    asking.latencies.clear()
    run, began = Run(), time.monotonic()
    sent = client.post(
        "/v1/documents:batch", files=[("files", (name, body)) for name, body in files]
    )
    run.accepted_s = time.monotonic() - began
    assert sent.status_code == 202, sent.text
    run.outcomes = follow(client, sent.headers["location"], count)
    run.took_s = time.monotonic() - began
    run.queries, run.errors = asking.taken(), asking.errors
    run.peak = memory.peak()
    asking.rest(10.0)  # what is temporary is given back
    run.after = memory.now()
    run.chunks = chunks_of(client) - held
    return run


def large() -> None:
    """One big document after the other, and what each process held at most."""
    with service() as (client, memory):
        for name, make in (("100 MB", padded_pdf), ("5,000 pages", long_pdf)):
            with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
                make(Path(file.name))
                size = Path(file.name).stat().st_size
                memory.forget()
                began = time.monotonic()
                sent = client.post("/v1/documents", files={"file": (f"{name}.pdf", file)})
                accepted = time.monotonic() - began
                assert sent.status_code == 202, sent.text
                document = ended(client, sent.headers["location"])
                print(
                    f"{name}: {size / MB:.1f} MB, taken in {accepted:.1f} s, {document['status']} "
                    f"after {time.monotonic() - began:.1f} s: {document['pages']} pages, "
                    f"{document['chunks']} chunks, {document['error'] or 'no error'}; "
                    f"{document['timings']}; peak MB {memory.peak()}"
                )
        print(f"101 MB: {too_big(client)}")


def too_big(client: httpx.Client) -> str:
    """What comes of an upload over the limit, and how much of it was sent when it came."""
    size, sent = 101 * MB, 0
    head = (
        "POST /v1/documents HTTP/1.1\r\nhost: x\r\n"
        f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {size}\r\n\r\n"
        '--x\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        connection.sendall(head.encode())
        connection.settimeout(0.2)
        try:
            while sent < size:
                sent += connection.send(b"x" * 65_536)
        except (OSError, TimeoutError):
            pass
        connection.settimeout(10)
        answer = connection.recv(200).decode(errors="replace")
    return f"{answer.splitlines()[0]} after {sent / MB:.1f} MB were sent"


class Asking:
    """Asks at a steady rate, in a thread; a late answer does not put off the next question."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._topics = [name for name, _ in mixed_files(200, seed=0)]
        self.latencies: list[float] = []
        self.errors = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def rest(self, seconds: float) -> None:
        """Let it ask for so long."""
        time.sleep(seconds)

    def taken(self) -> Sequence[float]:
        """The latencies since they were last cleared, in milliseconds."""
        return sorted(self.latencies)

    def _ask(self) -> None:
        due, number = time.monotonic(), 0
        while not self._stopped.is_set():
            number += 1
            topic = self._topics[number % len(self._topics)]
            body = {"query": f"What does the report {topic} say of item {number}?"}
            began = time.monotonic()
            answer = self._client.post("/v1/query", json=body)
            self.latencies.append((time.monotonic() - began) * 1e3)
            self.errors += answer.status_code != 200
            due = max(due + 1 / QUERIES_PER_S, time.monotonic())
            self._stopped.wait(max(0.0, due - time.monotonic()))


class Memory:
    """What the server and the processes below it hold, by role."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._peak: dict[str, float] = defaultdict(float)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Begin a new peak."""
        self._peak.clear()

    def peak(self) -> dict[str, float]:
        """The most that a process of each role has held since."""
        return {role: round(held, 1) for role, held in self._peak.items()}

    def now(self) -> dict[str, float]:
        """The most that a process of each role holds now, in MB."""
        held: dict[str, float] = defaultdict(float)
        for pid, role in self._processes():
            try:
                _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
            except OSError:  # it has ended meanwhile
                continue
            page = os.sysconf("SC_PAGE_SIZE") / MB
            held[role] = max(held[role], int(resident) * page)
            held[f"{role}'s files"] = max(held[f"{role}'s files"], int(shared) * page)
        return held

    def _watch(self) -> None:
        while not self._stopped.wait(0.25):
            for role, held in self.now().items():
                self._peak[role] = max(self._peak[role], held)

    def _processes(self) -> Iterator[tuple[int, str]]:
        parents: dict[int, list[int]] = defaultdict(list)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            parents[int(stat.rpartition(")")[2].split()[1])].append(int(folder.name))
        yield self._server, "server"
        for worker in parents[self._server]:
            yield worker, "worker"
            for parser in parents[worker]:
                yield parser, "parser"


@contextmanager
def service() -> Iterator[tuple[httpx.Client, Memory]]:
    """`rag serve` as the local profile has it, on a data folder of its own."""
    port, models = free_port(), os.environ.get("RAG_MODELS", "data/models")
    with tempfile.TemporaryDirectory(prefix="rag-benchmark-") as folder:
        environment = {"RAG_PROFILE": "local", "RAG_DATA_DIR": folder}
        environment |= {"RAG_MODELS": str(Path(models).resolve()), "RAG_LOG_LEVEL": "error"}
        command = rag("serve", "--port", str(port))
        with (
            serving(command, port, "/health/ready", environment) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client,
        ):
            while client.get("/health").json()["dependencies"].get("worker") != "up":
                time.sleep(0.2)
            yield client, Memory(process.pid)


def seed(client: httpx.Client) -> None:
    """Something to ask about from the start."""
    files = [("files", one) for one in mixed_files(200, seed=0)]
    sent = client.post("/v1/documents:batch", files=files)
    follow(client, sent.headers["location"], len(files))


def follow(client: httpx.Client, job: str, count: int) -> Counter[str]:
    """How many of a batch ended in which way, once all have."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        found: Counter[str] = Counter(client.get(job, params={"limit": 1}).json()["by_status"])
        if sum(found[one] for one in ("indexed", "failed", "refused")) == count:
            return found
        time.sleep(0.5)
    raise SystemExit(f"the batch came to no end: {found}")


def ended(client: httpx.Client, location: str) -> dict[str, object]:
    """A document, once it came to its end."""
    while True:
        document: dict[str, object] = client.get(location).json()
        if document["status"] in {"indexed", "failed"}:
            return document
        time.sleep(0.5)


def chunks_of(client: httpx.Client) -> int:
    """How many chunks all documents of the workspace have."""
    total, query = 0, {"limit": "1000"}
    while True:
        page = client.get("/v1/documents", params=query).json()
        total += sum(one["chunks"] for one in page["documents"])
        if not page["next"]:
            return total
        query["after"] = page["next"]


def percentile(latencies: Sequence[float], share: float) -> float:
    """The latency that `share` of them do not exceed."""
    return latencies[int(share * (len(latencies) - 1))]


def shown(value: float | None) -> str:
    """A figure for the table."""
    return "" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
