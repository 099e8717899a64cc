"""What is left of a model server's stream behind the service, for many clients at once.

    python benchmarks/streaming.py

A scripted model server writes to clients that read it directly, and to the same clients through
`rag serve`, one worker, policy `flag`, no cache; in turn, several rounds in one run. Then the pace
is raised until the service keeps up no more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reading import Place, Streamed, read
from servers import free_port, rag, serving

from tests.scripted import tokens

CLIENTS = 64
PACE = 50.0
PACES = (75, 100, 150, 200, 300, 400, 600, 800)
ENOUGH = 0.85
QUESTION = "How fast are refunds paid?"
TEXT = "Refunds are paid within 7 days of purchase, to the same method of payment [1]. " * 12
LENGTH = len(tokens(TEXT))
CHUNK = re.compile(rb'"content": "[^"]')
TOKEN = re.compile(rb"event: token")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run: tokens a second, and what was used for each, in microseconds of a CPU."""

    streamed: Streamed
    relay_s: float
    model_s: float

    @property
    def rate(self) -> float:
        """Tokens a second, to all clients."""
        return self.streamed.answers_per_s * LENGTH


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers, by their processes, and the places where they are read."""

    model: int
    model_port: int
    relay: int
    places: Mapping[str, Place]

    def run(self, name: str, *, pace: float, seconds: float) -> Figures:
        """All clients read for about so long, each so many tokens a second."""
        self._script({"text": TEXT, "rate": pace})
        answers = max(2, round(seconds * pace / LENGTH))
        relay, model = cpu(self.relay), cpu(self.model)
        spread = min(LENGTH / pace, seconds / 8)
        streamed = read(self.places[name], clients=CLIENTS, answers=answers, spread_s=spread)
        return Figures(streamed, cpu(self.relay) - relay, cpu(self.model) - model)

    def _script(self, script: Mapping[str, object]) -> None:
        url = f"http://127.0.0.1:{self.model_port}/script"
        request = urllib.request.Request(url, json.dumps(script).encode(), method="POST")
        urllib.request.urlopen(request, timeout=10).close()


def cpu(pid: int) -> float:
    """Seconds of a CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def places(model: int, relay: int) -> dict[str, Place]:
    """The model server directly, and both faces of the service."""
    asked = [{"role": "user", "content": QUESTION}]
    direct = {"model": "tiny", "messages": asked, "max_tokens": 512, "stream": True}
    query = {"query": QUESTION, "stream": True}
    chat = {"model": "default", "messages": asked, "stream": True}
    completions = "/v1/chat/completions"
    return {
        "direct": Place(model, completions, direct, CHUNK, b"[DONE]"),
        "query": Place(relay, "/v1/query", query, TOKEN, b"event: done"),
        "chat": Place(relay, completions, chat, CHUNK, b"[DONE]"),
    }


def summary(runs: Sequence[Figures]) -> dict[str, float]:
    """Medians over the rounds."""

    def median(values: Sequence[float], digits: int = 2) -> float:
        return round(statistics.median(values), digits)

    written = [one.streamed.answers_per_s * one.streamed.took_s * LENGTH for one in runs]
    return {
        "tokens_per_s": median([one.rate for one in runs], 0),
        "pieces_of_an_answer": median([one.streamed.pieces for one in runs], 1),
        "first_p50_ms": median([one.streamed.first(0.5) for one in runs]),
        "first_p95_ms": median([one.streamed.first(0.95) for one in runs]),
        "relay_cpu_share": median([one.relay_s / one.streamed.took_s for one in runs]),
        "model_cpu_share": median([one.model_s / one.streamed.took_s for one in runs]),
        "clients_cpu_share": median([one.streamed.cpu_s / one.streamed.took_s for one in runs]),
        "relay_us_per_token": median(
            [one.relay_s / count * 1e6 for one, count in zip(runs, written, strict=True)], 1
        ),
    }


def steady(bench: Bench, rounds: int, seconds: float) -> dict[str, object]:
    """Each place at the same pace, in turn."""
    runs: dict[str, list[Figures]] = {name: [] for name in bench.places}
    for _ in range(rounds):
        for name, found in runs.items():
            found.append(bench.run(name, pace=PACE, seconds=seconds))
    figures = {name: summary(found) for name, found in runs.items()}
    direct = figures["direct"]
    for name in ("query", "chat"):
        one = figures[name]
        one["share_of_direct"] = round(one["tokens_per_s"] / direct["tokens_per_s"], 3)
        one["first_added_p50_ms"] = round(one["first_p50_ms"] - direct["first_p50_ms"], 2)
    return dict(figures)


def saturation(bench: Bench, name: str, seconds: float) -> dict[str, object]:
    """The pace raised until less than `ENOUGH` of it is reached."""
    steps: dict[str, object] = {}
    most, cost = 0.0, 0.0
    for pace in PACES:
        found = bench.run(name, pace=pace, seconds=seconds)
        share = found.rate / (pace * CLIENTS)
        told = summary([found])
        steps[str(pace)] = {"tokens_per_s": round(found.rate), "share": round(share, 3)}
        if found.rate > most:
            most, cost = found.rate, told["relay_us_per_token"]
        if share < ENOUGH:
            break
    return {"tokens_per_s": round(most), "relay_us_per_token": cost, "by_pace": steps}


def main() -> None:
    """Start the servers, run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--steady", action="store_true", help="not until saturation")
    chosen = parser.parse_args()
    model, relay = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "RAG_PROFILE": "mock",
            "RAG_DATA_DIR": folder,
            "RAG_CACHE__KIND": "none",
            "RAG_GENERATOR__KIND": "openai",
            "RAG_GENERATOR__MODEL": "tiny",
            "RAG_GENERATOR__BASE_URL": f"http://127.0.0.1:{model}/v1",
            "RAG_HTTP__TIMEOUT_S": "120",
        }
        scripted = [sys.executable, "-m", "tests.completions", "--port", str(model)]
        with (
            serving(scripted, model, "/health", {}) as server,
            serving(rag("serve", "--port", str(relay)), relay, "/health/ready", environment) as one,
        ):
            bench = Bench(server.pid, model, one.pid, places(model, relay))
            for name in bench.places:
                bench.run(name, pace=1_000, seconds=0.5)
            told: dict[str, object] = {"clients": CLIENTS, "pace": PACE, "tokens": LENGTH}
            told |= steady(bench, chosen.rounds, chosen.seconds)
            if not chosen.steady:
                told["saturation"] = {
                    name: saturation(bench, name, chosen.seconds / 2) for name in ("query", "chat")
                }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
