"""What is left of a model server's stream behind the service, for many clients at once.

    python benchmarks/streaming.py

A scripted model server writes to clients that read it directly, and to the same clients through
`rag serve`, one worker, policy `flag`, no cache; in turn, several rounds in one run. Clients begin
at random, and ask again as soon as an answer is whole, no question twice. Then there are more and
more of them, until the service keeps up no more.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reading import Place, Streamed, quantile, read
from servers import free_port, rag, serving

from tests.scripted import tokens

CLIENTS = 64
PACE = 50.0
MORE = (96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
ENOUGH = 0.85
QUESTION = "Are refunds of purchase {number} paid within 7 days?"
TEXT = "Refunds are paid within 7 days of purchase, to the same method of payment [1]. " * 12
LENGTH = len(tokens(TEXT))
FEWEST = LENGTH / 20
"""Pieces in which such an answer may come, however late."""
CHUNK = re.compile(rb'"content": "[^"]')
TOKEN = re.compile(rb"event: token")
SAMPLES = Path(__file__).parents[1] / "samples" / "documents"


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
    relay: int
    places: Mapping[str, Place]

    def run(self, name: str, *, clients: int, seconds: float) -> Figures:
        """So many clients read for about so long, beside the time in which they begin."""
        answers = max(1, round(seconds * PACE / LENGTH))
        relay, model = cpu(self.relay), cpu(self.model)
        spread = LENGTH / PACE
        streamed = read(self.places[name], clients=clients, answers=answers, spread_s=spread)
        if streamed.pieces < FEWEST:
            raise SystemExit(f"{name}: this is not what the model server said")
        return Figures(streamed, cpu(self.relay) - relay, cpu(self.model) - model)


def cpu(pid: int) -> float:
    """Seconds of a CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def places(model: int, relay: int) -> dict[str, Place]:
    """The model server directly, and both faces of the service."""

    def asked(number: int) -> str:
        return QUESTION.format(number=number)

    def completion(name: str, number: int) -> dict[str, object]:
        messages = [{"role": "user", "content": asked(number)}]
        return {"model": name, "messages": messages, "max_tokens": 512, "stream": True}

    path, opening = "/v1/chat/completions", b'"role": "assistant"'
    return {
        "direct": Place(model, path, lambda n: completion("tiny", n), opening, CHUNK, b"[DONE]"),
        "query": Place(
            relay,
            "/v1/query",
            lambda n: {"query": asked(n), "stream": True},
            b"event: sources",
            TOKEN,
            b"event: done",
        ),
        "chat": Place(relay, path, lambda n: completion("default", n), opening, CHUNK, b"[DONE]"),
    }


def summary(runs: Sequence[Figures]) -> dict[str, float]:
    """Medians over the rounds; of each answer's times, over all answers.

    `found` is the time until an answer begins, with what was retrieved.
    """

    def median(values: Sequence[float], digits: int = 2) -> float:
        return round(statistics.median(values), digits)

    written = [one.streamed.answers_per_s * one.streamed.took_s * LENGTH for one in runs]
    found = [ms for one in runs for ms in one.streamed.begun_ms]
    first = [ms for one in runs for ms in one.streamed.first_ms]
    return {
        "tokens_per_s": median([one.rate for one in runs], 0),
        "pieces_of_an_answer": median([one.streamed.pieces for one in runs], 1),
        "found_p50_ms": round(quantile(found, 0.5), 2),
        "first_p50_ms": round(quantile(first, 0.5), 2),
        "first_p95_ms": round(quantile(first, 0.95), 2),
        "relay_cpu_share": median([one.relay_s / one.streamed.took_s for one in runs]),
        "model_cpu_share": median([one.model_s / one.streamed.took_s for one in runs]),
        "clients_cpu_share": median([one.streamed.cpu_s / one.streamed.took_s for one in runs]),
        "relay_us_per_token": median(
            [one.relay_s / count * 1e6 for one, count in zip(runs, written, strict=True)], 1
        ),
    }


def steady(bench: Bench, rounds: int, seconds: float) -> dict[str, object]:
    """Each place with as many clients, in turn."""
    runs: dict[str, list[Figures]] = {name: [] for name in bench.places}
    for _ in range(rounds):
        for name, found in runs.items():
            found.append(bench.run(name, clients=CLIENTS, seconds=seconds))
    figures = {name: summary(found) for name, found in runs.items()}
    direct = figures["direct"]
    for name in ("query", "chat"):
        one = figures[name]
        added = one["first_p50_ms"] - direct["first_p50_ms"]
        one["share_of_direct"] = round(one["tokens_per_s"] / direct["tokens_per_s"], 3)
        one["first_added_p50_ms"] = round(added, 2)
        one["of_that_relay_p50_ms"] = round(added - one["found_p50_ms"], 2)
    return dict(figures)


def saturation(bench: Bench, name: str, seconds: float) -> dict[str, object]:
    """More and more clients, until less than `ENOUGH` of what is written reaches them in time."""
    steps: dict[str, object] = {}
    most: dict[str, object] = {}
    for clients in MORE:
        found = bench.run(name, clients=clients, seconds=seconds)
        share = found.rate / (PACE * clients)
        told = summary([found])
        kept = ("tokens_per_s", "first_p50_ms", "relay_us_per_token", "relay_cpu_share")
        steps[str(clients)] = {"share": round(share, 3), **{one: told[one] for one in kept}}
        if share < ENOUGH:
            break
        most = {"clients": clients, "tokens_per_s": told["tokens_per_s"]}
    return {**most, "by_clients": steps}


@contextmanager
def opened(profile: str) -> Iterator[Bench]:
    """The servers, and in all but the mock profile the samples as documents."""
    model, relay = free_port(), free_port()
    scripted = [sys.executable, "-m", "tests.completions", "--port", str(model)]
    scripted += ["--text", TEXT, "--rate", str(PACE)]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "RAG_PROFILE": profile,
            "RAG_DATA_DIR": folder,
            "RAG_CACHE__KIND": "none",
            "RAG_GENERATOR__KIND": "openai",
            "RAG_GENERATOR__MODEL": "tiny",
            "RAG_GENERATOR__BASE_URL": f"http://127.0.0.1:{model}/v1",
            "RAG_GENERATOR__PARALLEL": str(max(MORE)),
            "RAG_HTTP__TIMEOUT_S": "120",
        }
        if profile != "mock":
            known = {**os.environ, **environment}
            subprocess.run(rag("ingest", str(SAMPLES)), env=known, check=True, stdout=sys.stderr)
        with (
            serving(scripted, model, "/health", {}) as server,
            serving(rag("serve", "--port", str(relay)), relay, "/health/ready", environment) as one,
        ):
            yield Bench(server.pid, one.pid, places(model, relay))


def main() -> None:
    """Start the servers, run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="local", help="mock: without an embedder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.6)
    parser.add_argument("--steady", action="store_true", help="not until saturation")
    chosen = parser.parse_args()
    with opened(chosen.profile) as bench:
        for name in bench.places:
            bench.run(name, clients=4, seconds=1)
        told: dict[str, object] = {"profile": chosen.profile, "clients": CLIENTS, "pace": PACE}
        told |= {"tokens": LENGTH, **steady(bench, chosen.rounds, chosen.seconds)}
        if not chosen.steady:
            told["saturation"] = {
                name: saturation(bench, name, chosen.seconds / 2) for name in ("query", "chat")
            }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
