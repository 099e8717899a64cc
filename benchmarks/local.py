"""The local profile against its peers: embedding rate, vectors, search and query latency.

    python benchmarks/local.py --torch-python PYTHON --torch-model MODEL --collection FOLDER

And `--peer SCRIPT`, to compare the latency of search.

PYTHON is an interpreter with sentence-transformers on torch, MODEL the folder of the same model
as it was published (or its name on the hub); FOLDER is a collection in BEIR form;
SCRIPT a peer's benchmark, run by the same interpreter with the collection's name, that prints one
JSON line with `p50_ms`. `RAG_MODELS` says where the model is, as everywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import load
import numpy as np
from servers import free_port, rag, serving

from adapters.embedder.onnx import open_onnx
from adapters.embedder.pulling import NAME
from orchestrator.evaluation import beir, running
from orchestrator.settings import load as load_settings
from orchestrator.wiring import open_application

ROUNDS = 3
TEXTS = 300
SECONDS = 20.0
BATCHES = (32, 64)

TORCH = """
import json, sys, time
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
model.max_seq_length = 256
for line in sys.stdin:
    texts, batch = json.loads(line)
    began = time.perf_counter()
    vectors = model.encode(texts, batch_size=batch, normalize_embeddings=True)
    took = time.perf_counter() - began
    print(json.dumps({"s": took, "sample": vectors[:5].tolist()}), flush=True)
"""


Torch = Callable[[int, list[str]], dict[str, Any]]


@contextmanager
def torch_on(python: str, model: str) -> Iterator[Torch]:
    """The same model under sentence-transformers, in a process of its own."""
    process = subprocess.Popen(
        [python, "-c", TORCH, model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    write, read = process.stdin, process.stdout

    def ask(batch: int, texts: list[str]) -> dict[str, Any]:
        write.write(json.dumps([texts, batch]) + "\n")
        write.flush()
        answer: dict[str, Any] = json.loads(read.readline())
        return answer

    yield ask
    write.close()
    process.wait(30)


async def embedding(by_torch: Torch, texts: list[str], models: Path) -> dict[str, float]:
    """Tokens a second of both, in turn, on identical texts, and how alike the vectors are."""
    async with open_onnx(models / NAME, threads=0) as embedder:
        tokens = sum(min(len(embedder.token_spans(text)) + 2, 256) for text in texts)
        by_torch(32, texts[:16])
        await embedder.embed(texts[:16])
        rates: dict[str, list[float]] = {"onnx": [], **{f"torch_{n}": [] for n in BATCHES}}
        for _ in range(ROUNDS):
            began = time.perf_counter()
            vectors = await embedder.embed(texts)
            rates["onnx"].append(tokens / (time.perf_counter() - began))
            for batch in BATCHES:
                answer = by_torch(batch, texts)
                rates[f"torch_{batch}"].append(tokens / answer["s"])
        sample = np.array(answer["sample"], np.float32)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        **{f"{name}_tokens_per_s": round(rate) for name, rate in medians.items()},
        "times_torch": round(
            medians["onnx"] / max(rate for name, rate in medians.items() if name != "onnx"), 2
        ),
        "least_cosine": round(float((sample * vectors[: len(sample)]).sum(1).min()), 6),
    }


async def ingest(collection: beir.Collection, folder: str, models: Path) -> None:
    """Index the collection into a data folder that a server can then serve."""
    settings = load_settings(data_dir=folder, models=models)
    async with open_application(settings, writes=True) as app:
        await running.index(
            collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
        )


def latency(collection: beir.Collection, folder: str, models: Path) -> dict[str, float]:
    """Search and query over HTTP: each question once, one connection, a server of its own."""
    questions = list(collection.questions.values())
    port = free_port()
    environment = {"RAG_DATA_DIR": folder, "RAG_MODELS": str(models), "RAG_CACHE__KIND": "none"}
    with serving(rag("serve", "--port", str(port)), port, "/health/ready", environment):
        figures: dict[str, float] = {}
        for name, top_k in (("search", 10), ("query", 5)):
            path = f"/v1/{name}"
            load.run(port, path, lambda _n: {"query": questions[0]}, connections=1, seconds=1)
            asked = itertools.cycle(questions)
            done = load.run(
                port,
                path,
                lambda _n, asked=asked, top_k=top_k: {"query": next(asked), "top_k": top_k},
                connections=1,
                seconds=SECONDS,
            )
            figures |= {
                f"{name}_p50_ms": round(done.percentile(0.50), 2),
                f"{name}_p95_ms": round(done.percentile(0.95), 2),
                f"{name}_mean_ms": round(done.mean, 2),
                f"{name}_requests": len(done.latencies_ms),
                f"{name}_success_rate": round(1 - done.failed / len(done.latencies_ms), 5),
            }
    return figures


def main() -> None:
    """Run all of it, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", required=True)
    parser.add_argument("--torch-model", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--peer", type=Path)
    options = parser.parse_args()
    models = load_settings().models_dir
    collection = beir.load(options.collection)
    texts = [
        f"{upload.title or ''} {upload.content.read().decode()}".strip()
        for upload in itertools.islice(collection.uploads(), TEXTS)
    ]
    with torch_on(options.torch_python, options.torch_model) as by_torch:
        figures = asyncio.run(embedding(by_torch, texts, models))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(ingest(collection, folder, models))
        figures |= latency(collection, folder, models)
    if options.peer:
        line = subprocess.run(
            [options.torch_python, options.peer.name, options.collection.name],
            cwd=options.peer.parent,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        peer = json.loads(line)
        figures |= {f"peer_{name}": peer[name] for name in ("p50_ms", "p95_ms", "ndcg10")}
        figures["search_p50_share_of_peer"] = round(figures["search_p50_ms"] / peer["p50_ms"], 3)
    json.dump(figures, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
