"""A million chunks on one machine: recall and latency, alone and over HTTP; memory; cold start.

    python benchmarks/million.py FOLDER [--chunks N] [--only build|index|http]

FOLDER takes the data, about 7 GB; another run finds it there. Vectors are generated, as texts are
(benchmarks/generated.py): embedding so many would take hours. Over HTTP, questions are embedded as
everywhere, and everything is done that a search does. `RAG_MODELS` says where the model is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import load
import numpy as np
import numpy.typing as npt
from bulk import publish
from generated import SHARES, Collection
from servers import free_port, rag, serving

from adapters.vectors.rows import ERASED, VectorRows
from orchestrator.domain.filters import Condition, Filter
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.settings import Settings
from orchestrator.settings import load as load_settings
from orchestrator.wiring import Application, open_application

QUESTIONS = 200
TOP = 10
DEPTH = 100
PER_S = 40.0
SECONDS = 60.0
ROUNDS = 3
FRESH = 20
"""Documents published while the service answers: a thousand chunks."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["build", "index", "http"])
    given = parser.parse_args()
    settings = load_settings(data_dir=str(given.folder))
    if given.only in (None, "build"):
        asyncio.run(build(settings, given.chunks))
    if given.only in (None, "index"):
        asyncio.run(measure_index(settings))
    if given.only in (None, "http"):
        asyncio.run(measure_http(settings))


async def build(settings: Settings, chunks: int) -> None:
    """Publish what is not there yet, then fill the indexes and let them train."""
    collection = Collection()
    began = time.perf_counter()
    async with open_application(settings, writes=True, seeds=False) as app:
        workspace = await app.catalog.workspaces.get(DEFAULT_WORKSPACE)
        model = app.assembly.embedder(workspace.config).digest
        there = (await app.catalog.documents.holding(workspace.uid)).documents
        wanted = chunks // collection.per_document
        for first in range(there, wanted, 1000):
            documents = collection.documents(first, min(1000, wanted - first))
            await publish(app.catalog, app.queue, workspace.uid, model, documents)
        told("published", seconds=time.perf_counter() - began, chunks=chunks)
        began = time.perf_counter()
        await app.library.settle(DEFAULT_WORKSPACE)
        told("indexed", seconds=time.perf_counter() - began)
        await (await vectors_of(app)).trained()
        told("trained", seconds=time.perf_counter() - began)


async def measure_index(settings: Settings) -> None:
    """Recall against an exact scan, and latency in the process, with and without filters."""
    _, questions = Collection().questions(QUESTIONS)
    async with open_application(settings, writes=True, seeds=False) as app:
        moment = await app.library.pin(DEFAULT_WORKSPACE)
        index = await vectors_of(app)
        await index.trained()
        scopes = {"none": Scope(DEFAULT_WORKSPACE).at(moment.revision)}
        for name, wanted in filters():
            scopes[name] = Scope(DEFAULT_WORKSPACE, filters=wanted).at(moment.revision)
        allowed = {name: moment.shelf.roster.select(scope).ids for name, scope in scopes.items()}
        exact = nearest(index._rows, questions, allowed)  # noqa: SLF001
        for name, scope in scopes.items():
            for limit in (TOP, DEPTH):
                times, shared = [], 0
                for number, question in enumerate(questions):
                    began = time.perf_counter()
                    hits = await index.search(question, scope=scope, limit=limit)
                    times.append((time.perf_counter() - began) * 1e3)
                    shared += len({h.chunk_id for h in hits[:TOP]} & set(exact[name][number]))
                told(
                    "vectors",
                    filter=name,
                    limit=limit,
                    seen=len(allowed[name]),
                    recall=shared / sum(map(len, exact[name])),
                    first_ms=times[0],
                    **percentiles(times[1:]),
                )
        words, _ = Collection().questions(QUESTIONS)
        roles = moment.shelf.projections
        keywords = next(one for role, one in roles.items() if role.startswith("keywords:"))
        for name, scope in scopes.items():
            times = []
            for question_ in words:
                began = time.perf_counter()
                await keywords.search(question_, scope=scope, limit=DEPTH)
                times.append((time.perf_counter() - began) * 1e3)
            told("keywords", filter=name, limit=DEPTH, **percentiles(times))


async def measure_http(settings: Settings) -> None:
    """Start the service; search at a steady rate, while chunks come, with filters, and at most."""
    words, _ = Collection().questions(10_000)
    port = free_port()
    environment = {"RAG_DATA_DIR": str(settings.data_dir), "RAG_WORKER__PLACEMENT": "external"}
    began = time.perf_counter()
    with serving(rag("serve", "--port", str(port)), port, "/health/ready", environment) as process:
        ask(port, {"query": words[0]})
        told("cold start", seconds=time.perf_counter() - began, **memory(process.pid))
        await load.arriving(port, "/v1/search", body(words), per_s=PER_S, seconds=5)
        before = processor_s(process.pid)
        steady = await load.arriving(
            port, "/v1/search", body(words, 1000), per_s=PER_S, seconds=SECONDS
        )
        spent = (processor_s(process.pid) - before) * 1e3 / len(steady)
        told("steady", per_s=PER_S, cpu_ms=spent, **summary(steady), **memory(process.pid))
        await measure_fresh(settings, port, words, summary(steady)["p95_ms"])
        for name, wanted in filters():
            timed = await load.arriving(
                port, "/v1/search", body(words, 5000, wanted), per_s=10, seconds=15
            )
            told("filtered", filter=name, per_s=10, **summary(timed))
        for connections in (4, 16):
            run = await asyncio.to_thread(
                load.run, port, "/v1/search", body(words), connections=connections, seconds=15
            )
            told(
                "saturated",
                connections=connections,
                per_s=run.requests_per_s,
                p95_ms=run.percentile(0.95),
                failed=run.failed,
            )
        told("at the end", **memory(process.pid))


async def measure_fresh(
    settings: Settings, port: int, words: Sequence[str], before_ms: float
) -> None:
    """Publish a thousand chunks under load: when they are found, and what it does to the others."""
    for _ in range(ROUNDS):
        ours, theirs = Pipe()
        publisher = get_context("spawn").Process(target=publishing, args=(settings, theirs))
        publisher.start()
        first = await asyncio.to_thread(ours.recv)
        loading = asyncio.create_task(
            load.arriving(port, "/v1/search", body(words, 3000), per_s=PER_S, seconds=20)
        )
        await asyncio.sleep(8)
        ours.send("now")
        began, committed = await asyncio.to_thread(ours.recv)
        asked = {"query": f"unheard{first}", "mode": "keyword", "top_k": 1}
        awaited = f"generated/{first + FRESH - 1}"
        while not found(await asyncio.to_thread(ask, port, asked), awaited):
            await asyncio.sleep(0.02)  # as a client would
        seen = time.perf_counter()
        timed = await loading
        during = [one for one in timed if one.due_s >= 8]
        told(
            "fresh",
            chunks=FRESH * Collection().per_document,
            publish_s=committed - began,
            visible_after_s=seen - committed,
            **summary(during),
            max_over_p95_before=max(one.latency_ms for one in during) / before_ms,
            p95_over_p95_before=summary(during)["p95_ms"] / before_ms,
        )


def publishing(settings: Settings, told: Connection) -> None:
    """Publish once it is told to: in a process of its own and as nicely, as a worker would."""
    os.nice(settings.worker.niceness)
    asyncio.run(publish_once(settings, told))


async def publish_once(settings: Settings, told: Connection) -> None:
    """Tell the number of the first document, wait, publish, and tell from when to when."""
    async with open_application(settings, writes=False, seeds=False) as app:
        workspace = await app.catalog.workspaces.get(DEFAULT_WORKSPACE)
        model = app.assembly.embedder(workspace.config).digest
        first = (await app.catalog.documents.holding(workspace.uid)).documents
        documents = list(Collection().documents(first, FRESH))
        documents[-1].texts[-1] += f" unheard{first}"
        told.send(first)
        told.recv()
        began = time.perf_counter()
        await publish(app.catalog, app.queue, workspace.uid, model, iter(documents))
        told.send((began, time.perf_counter()))


def filters() -> Iterator[tuple[str, Filter]]:
    """Of a thousand documents, so many: at random, and by what they are about."""
    for field in ("pick", "topic"):
        for share in SHARES:
            yield f"{field} {share / 10:g} %", Condition(field, "lt", share)


async def vectors_of(app: Application) -> Any:
    """The index itself, below everything that is wrapped around it."""
    shelf = await app.library.shelf(DEFAULT_WORKSPACE)
    return shelf.projections["vectors:default:default"]._index  # noqa: SLF001


def nearest(
    rows: VectorRows, questions: npt.NDArray[np.float32], allowed: Mapping[str, Any]
) -> dict[str, list[list[int]]]:
    """The ids of the best, by comparing every vector."""
    slots = np.flatnonzero(rows.ids != ERASED)
    scores = np.empty((len(questions), len(slots)), np.float32)
    for start in range(0, len(slots), 20_000):
        some = slots[start : start + 20_000]
        scores[:, start : start + 20_000] = questions @ rows.gather(some).T
    best = {}
    for name, ids in allowed.items():
        places = np.flatnonzero(np.isin(rows.ids[slots], ids))
        part = scores[:, places]
        count = min(TOP, len(places))
        top = np.argpartition(-part, count - 1, axis=1)[:, :count]
        best[name] = [rows.ids[slots[places[one]]].tolist() for one in top]
    return best


def body(words: Sequence[str], first: int = 0, wanted: Filter | None = None) -> Any:
    """Requests with one question after another."""
    given = (
        {"filters": {"field": wanted.field, "op": wanted.op, "value": wanted.value}}
        if isinstance(wanted, Condition)
        else {}
    )
    return lambda number: {"query": words[(first + number) % len(words)], "top_k": TOP, **given}


def ask(port: int, asked: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/search",
        json.dumps(asked).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def found(response: Any, source_id: str) -> bool:
    return any(hit["source_id"] == source_id for hit in response["hits"])


def memory(pid: int) -> dict[str, float]:
    """What a process has resident now, and has had at most, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    held = dict(line.split(":", 1) for line in lines)
    return {
        "resident_mb": int(held["VmRSS"].split()[0]) / 1024,
        "peak_mb": int(held["VmHWM"].split()[0]) / 1024,
        "anonymous_mb": int(held["RssAnon"].split()[0]) / 1024,
    }


def processor_s(pid: int) -> float:
    """The processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def summary(timed: Sequence[load.Timed]) -> dict[str, float]:
    failed = sum(one.status != 200 for one in timed)
    return {**percentiles([one.latency_ms for one in timed]), "failed": failed}


def percentiles(times: Sequence[float]) -> dict[str, float]:
    return {f"p{share}_ms": float(np.percentile(times, share)) for share in (50, 95, 99)}


def told(what: str, **figures: float | str) -> None:
    shown = {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what, **shown}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
