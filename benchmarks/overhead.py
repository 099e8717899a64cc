"""What the service costs above a bare FastAPI endpoint with the same request and answer models.

    python benchmarks/overhead.py

Three servers in turn, several rounds in one run: bare; `rag serve` under the mock profile asked
the same question (a cache hit); and asked a new question each time (the whole pipeline).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable

import load
from servers import free_port, rag, serving

ROUNDS = 5
SECONDS = 3.0
QUESTION = "How fast are refunds paid?"
WORDS = "please tell me now about refunds paid within days of purchase delivery fees method".split()

BARE = """
import sys, uvicorn
from fastapi import FastAPI
from orchestrator.domain.answers import Answer, Meta, Source
from orchestrator.http.schemas import QueryRequest
app = FastAPI()
text = "Refunds are paid within 7 days of purchase. Delivery fees are not refunded."
source = Source("d", "1", "policies/refunds", "Refund policy", text, 0.7, None, None, 0, 75, True)
@app.get("/health/live")
async def live(): return {"status": "ok"}
@app.post("/v1/query")
async def query(body: QueryRequest) -> Answer:
    return Answer("Refunds are paid within 7 days of purchase. [1]", True, (source,), Meta())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
"""


def same(_number: int) -> object:
    """The same question every time."""
    return {"query": QUESTION}


def new(number: int) -> object:
    """A question not asked before."""
    more = " ".join(WORDS[number // len(WORDS) ** place % len(WORDS)] for place in range(5))
    return {"query": f"{QUESTION} {more}"}


def main() -> None:
    """Run the rounds, and print medians and ratios."""
    bare_port, rag_port = free_port(), free_port()
    runs: dict[str, tuple[int, Callable[[int], object]]] = {
        "bare": (bare_port, same),
        "hit": (rag_port, same),
        "miss": (rag_port, new),
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder:
        environment = {"RAG_PROFILE": "mock", "RAG_DATA_DIR": folder}
        with (
            serving([sys.executable, "-c", BARE, str(bare_port)], bare_port, "/health/live", {}),
            serving(rag("serve", "--port", str(rag_port)), rag_port, "/health/ready", environment),
        ):
            for _ in range(ROUNDS):
                for name, (port, body) in runs.items():
                    many = load.run(port, "/v1/query", body, connections=32, seconds=SECONDS)
                    one = load.run(port, "/v1/query", body, connections=1, seconds=SECONDS / 3)
                    if many.failed or one.failed:
                        raise SystemExit(f"{name}: {many.failed + one.failed} requests failed")
                    figures[name].append((many.requests_per_s, one.percentile(0.5)))
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in figures.items()}
    p50s = {name: statistics.median(p50 for _, p50 in runs) for name, runs in figures.items()}
    print(
        json.dumps(
            {
                "requests_per_s": {name: round(rate) for name, rate in rates.items()},
                "p50_ms": {name: round(p50, 3) for name, p50 in p50s.items()},
                "hit_share_of_bare": round(rates["hit"] / rates["bare"], 3),
                "miss_share_of_bare": round(rates["miss"] / rates["bare"], 3),
                "hit_added_p50_ms": round(p50s["hit"] - p50s["bare"], 3),
                "miss_added_p50_ms": round(p50s["miss"] - p50s["bare"], 3),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
