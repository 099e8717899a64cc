"""Recall against latency, as a picture: what it costs to look deeper, and by which search."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

from matplotlib.figure import Figure

from orchestrator.answering.service import Mode
from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.asking import Asking
from orchestrator.evaluation.beir import Collection
from orchestrator.evaluation.metrics import percentile
from orchestrator.evaluation.running import Progress

DEPTHS: Final = (1, 5, 10, 20, 50, 100)
QUESTIONS: Final = 100
MARKS: Final = ("o", "s", "^")


@dataclass(frozen=True, slots=True)
class Point:
    """A search for `depth` documents: the mean recall, and the median time."""

    depth: int
    recall: float
    p50_ms: float


Curves = Mapping[str, Sequence[Point]]
"""Points by mode, in order of depth."""


async def curves(collection: Collection, asking: Asking, told: Progress) -> Curves:
    """Ask a sample of the questions in every mode, for ever more documents."""
    chosen = sorted(collection.questions)
    chosen = random.Random(0).sample(chosen, min(QUESTIONS, len(chosen)))  # noqa: S311  # a sample
    found: dict[str, list[Point]] = {}
    searches = [(mode, depth) for mode in get_args(Mode) for depth in DEPTHS]
    for done, (mode, depth) in enumerate(searches, start=1):
        by_mode = replace(asking, mode=mode)
        shares, latencies = [], []
        for question in chosen:
            ranking, latency = await by_mode.timed(collection.questions[question], depth)
            relevant = collection.judgements[question]
            shares.append(len(relevant.keys() & set(ranking)) / len(relevant))
            latencies.append(latency)
        mean = sum(shares) / len(shares)
        found.setdefault(mode, []).append(Point(depth, mean, percentile(latencies, 0.5)))
        told(done, len(searches))
    return found


def draw(found: Curves, title: str, path: Path) -> None:
    """Draw a line for each mode, its points labelled with the documents wanted.

    Raises:
        Rejected: when the file cannot be written.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for (mode, points), mark in zip(found.items(), MARKS, strict=True):
        axes.plot([p.p50_ms for p in points], [p.recall for p in points], marker=mark, label=mode)
        for point in points:
            axes.annotate(
                str(point.depth),
                (point.p50_ms, point.recall),
                xytext=(4, -10),
                textcoords="offset points",
                fontsize=8,
            )
    axes.set_xlabel("median latency, ms")
    axes.set_ylabel("recall")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.set_title(f"{title}\nnumbers at the points: documents asked for")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    try:
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise Rejected(f"'{path}' cannot be written: {error.strerror}") from error
