"""What each feature of retrieval gains or costs, by collection, through the service's own code.

    python benchmarks/ablation.py BEIR_FOLDER [BEIR_FOLDER ...] [--only NAME ...] [--keep FOLDER]

Every collection is indexed once, and asked with each configuration: documents are ranked by their
best chunk, as `rag eval` does. A cell is nDCG@10, and how far the mean over the questions lies from
the default's, with the 95 % interval of a paired bootstrap; below it the median of the latency
within the process. `misspelled` asks each question with two letters of its longest word swapped,
and is what `misspelled, corrected` is compared with. With `--keep`, what was indexed stays there.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from orchestrator.domain.answers import Query
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.workspaces import (
    Fusion,
    Reach,
    Understanding,
    Words,
    WorkspaceConfig,
)
from orchestrator.evaluation import beir, metrics, running
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application

DEFAULT, MISSPELLED = "default", "misspelled"
FOUND = 100
ROUNDS = 10_000


def swapped(text: str) -> str:
    """The question with the third and fourth letter of its longest plain word swapped."""
    words = [word for word in text.split() if word.isalpha() and len(word) > 4]
    if not words:
        return text
    longest = max(words, key=len)
    wrong = f"{longest[:2]}{longest[3]}{longest[2]}{longest[4:]}"
    return text.replace(longest, wrong)


@dataclass(frozen=True)
class Variant:
    """A configuration, how questions are asked of it, and what it is compared with."""

    config: Mapping[str, object]
    asked: Callable[[str], str] = str
    against: str = DEFAULT


SPELLED = Understanding(spelling=True)
VARIANTS = {
    DEFAULT: Variant({}),
    "short documents in pieces": Variant({"words": Words(whole=1)}),
    "documents of 3 chunks whole": Variant({"words": Words(whole=3)}),
    "fusion: rrf": Variant({"fusion": Fusion(method="rrf")}),
    "fusion: minmax": Variant({"fusion": Fusion(normalise="minmax")}),
    "fusion: distribution": Variant({"fusion": Fusion(normalise="distribution")}),
    "fusion: dense .6": Variant({"fusion": Fusion(dense=0.6, keyword=0.4)}),
    "fusion: dense .4": Variant({"fusion": Fusion(dense=0.4, keyword=0.6)}),
    "fusion: adaptive .1": Variant({"fusion": Fusion(adaptive=0.1)}),
    "fusion: adaptive .2": Variant({"fusion": Fusion(adaptive=0.2)}),
    "spelling": Variant({"understanding": SPELLED}),
    "compound questions whole": Variant({"understanding": Understanding(parts=False)}),
    "10 documents first": Variant({"reach": Reach(documents=10)}),
    "1 neighbour": Variant({"reach": Reach(neighbours=1)}),
    MISSPELLED: Variant({}, swapped),
    "misspelled, corrected": Variant({"understanding": SPELLED}, swapped, MISSPELLED),
}


async def measured(
    folder: Path, names: Sequence[str], data: Path
) -> dict[str, tuple[np.ndarray, float]]:
    """By variant, one nDCG@10 a question, and the median of the milliseconds."""
    collection = beir.load(folder)
    settings = load(data_dir=data, worker={"placement": "inline"})
    watch = Telemetry(Metrics(CollectorRegistry()))
    async with open_application(settings, writes=True, telemetry=watch) as app:
        await running.index(
            collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
        )
        found = {}
        for name in names:
            variant = VARIANTS[name]
            await configure(app, replace(settings.workspace, **variant.config))
            found[name] = await asked(app, collection, variant.asked)
    return found


async def configure(app: Application, config: WorkspaceConfig) -> None:
    """Give the workspace the configuration, and wait until its indexes are there."""
    now = await app.catalog.workspaces.get(DEFAULT_WORKSPACE)
    await app.catalog.workspaces.configure(
        DEFAULT_WORKSPACE, app.assembly.check(config), expected=now.config_version
    )
    await app.library.settle(DEFAULT_WORKSPACE)


async def asked(
    app: Application, collection: beir.Collection, how: Callable[[str], str]
) -> tuple[np.ndarray, float]:
    """Every judged question, one after another."""
    scores, took = [], []
    for question, text in collection.questions.items():
        began = time.perf_counter()
        found, _ = await app.answering.search(
            Query(how(text), Scope(DEFAULT_WORKSPACE), FOUND), by_document=True
        )
        took.append((time.perf_counter() - began) * 1e3)
        ranking = [passage.chunk.source_id for passage in found.passages]
        scores.append(metrics.ndcg(ranking, collection.judgements[question], 10))
    return np.array(scores), metrics.percentile(took, 0.5)


def cell(found: Mapping[str, tuple[np.ndarray, float]], name: str) -> str:
    """A variant's figures beside those of what it is compared with."""
    scores, p50 = found[name]
    against = VARIANTS[name].against
    if name == against or against not in found:
        return f"{scores.mean():.4f}, {p50:.1f} ms"
    gains = scores - found[against][0]
    drawn = np.random.default_rng(0).integers(len(gains), size=(ROUNDS, len(gains)))
    low, high = np.percentile(gains[drawn].mean(axis=1), [2.5, 97.5])
    return f"{scores.mean():.4f} ({gains.mean():+.4f}: {low:+.4f} to {high:+.4f}), {p50:.1f} ms"


async def main() -> None:
    """Print the table of features by collections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    columns = {}
    for folder in options.folders:
        kept = nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory()
        with kept as root:
            columns[folder.name] = await measured(folder, options.only, Path(root) / folder.name)
    means = {name: [columns[one][name][0].mean() for one in columns] for name in options.only}
    print("| feature |", " | ".join(columns), "| mean |")
    print("| --- |" + " --- |" * (len(columns) + 1))
    for name in options.only:
        cells = " | ".join(cell(columns[one], name) for one in columns)
        print(f"| {name} | {cells} | {np.mean(means[name]):.4f} |")


if __name__ == "__main__":
    asyncio.run(main())
