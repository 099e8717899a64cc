"""Fits how likely passages answer, and how likely an extractive answer is right; says how well.

    python benchmarks/confidence.py --collection FOLDER [--questions N]

FOLDER is a collection in BEIR form with `answers.jsonl` (`_id`, `answers`, `context_id`) whose
document ids are `article#paragraph`. Each question is asked as it is, and once more without the
article that answers it; the second counts a quarter, so that one question in five has no answer.
An answer is right if it holds one of the reference answers. Models are fitted on half of the
articles and measured on the other half: print what `orchestrator/answering/confidence.py` holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.answering.confidence import known_of
from orchestrator.domain.answers import Checked, Query, Token
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import Passage
from orchestrator.evaluation import beir, running
from orchestrator.settings import load
from orchestrator.wiring import Application, open_application

TOP_K = 5
FOUND = 30
UNANSWERED = 0.25
"""What a question without its article counts."""
BINS = 10
ANSWERS = ("cosine", "coverage", "names")
ANSWERS_BY_WORDS = ("coverage", "names")
RIGHT = ("evidence",)
RIGHT_BY_ALL = ("cosine", "coverage", "names", "grounding", "evidence")
WEAK = (0.05, 0.1, 0.15, 0.2, 0.3)


@dataclass(frozen=True)
class Row:
    """One answer: what was known of it, whether it was right, and what it counts."""

    known: dict[str, float]
    found: bool
    answered: bool
    right: bool
    counts: float


async def main() -> None:
    """Index, ask, fit, and print everything as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=1500, help="of each half")
    options = parser.parse_args()
    collection = beir.load(options.collection)
    gold = {}
    for line in (options.collection / "answers.jsonl").read_text().splitlines():
        entry = json.loads(line)
        gold[entry["_id"]] = entry
    halves: list[list[str]] = [[], []]
    for one in sorted(collection.questions):
        halves[zlib.crc32(article(gold[one]["context_id"])) % 2].append(one)
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=folder, models=load().models_dir)
        async with open_application(settings, writes=True) as app:
            await running.index(
                collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
            )
            fitted, measured = [
                [
                    row
                    for one in random.Random(0).sample(half, min(options.questions, len(half)))
                    for row in await ask(app, collection.questions[one], gold[one])
                ]
                for half in halves
            ]
    print(json.dumps(report(fitted, measured), indent=1))


async def ask(app: Application, question: str, gold: dict[str, Any]) -> list[Row]:
    """The question as it is, and without the article that answers it."""
    query = Query(question, Scope(DEFAULT_WORKSPACE), FOUND)
    found, _ = await app.answering.search(query)
    pipeline = app.assembly.pipeline(await app.library.pin(DEFAULT_WORKSPACE))
    home = gold["context_id"]

    async def row(passages: Sequence[Passage], counts: float) -> Row:
        text, checked = "", None
        async for piece in pipeline.check.checked(pipeline.generator, query, passages):
            if isinstance(piece, Token):
                text += piece.text
            else:
                checked = piece
        assert isinstance(checked, Checked)
        assert checked.grounding
        known = await known_of(query.text, passages, vectors=True)
        known["evidence"] = checked.outcome.evidence or 0.0
        known["grounding"] = checked.grounding.score or 0.0
        return Row(
            known,
            found=any(one.chunk.source_id == home for one in passages),
            answered=checked.outcome.answerable,
            right=any(one in text for one in gold["answers"]),
            counts=counts,
        )

    other = [p for p in found.passages if article(p.chunk.source_id) != article(home)]
    return [await row(found.passages[:TOP_K], 1.0), await row(other[:TOP_K], UNANSWERED)]


def report(fitted: list[Row], measured: list[Row]) -> dict[str, Any]:
    """The models, and how well each does on questions that it was not fitted on."""
    told: dict[str, Any] = {}
    for name, features in (("ANSWERS", ANSWERS), ("ANSWERS_BY_WORDS", ANSWERS_BY_WORDS)):
        weights = fit(fitted, features, [row.found for row in fitted])
        likely = probabilities(measured, features, weights)
        told[name] = {
            **shown(features, weights),
            "auc": auc(likely, [row.found for row in measured]),
            "weak": {str(limit): weakness(measured, likely, limit) for limit in WEAK},
        }
    for name, features in (("RIGHT", RIGHT), ("RIGHT_BY_ALL", RIGHT_BY_ALL)):
        told[name] = rightness(fitted, measured, features)
    return told


def rightness(fitted: list[Row], measured: list[Row], features: Sequence[str]) -> dict[str, Any]:
    """The model of a right answer, and how well it does."""
    known, unknown = [[one for one in rows if one.answered] for rows in (fitted, measured)]
    weights = fit(known, features, [row.right for row in known])
    likely, right = probabilities(unknown, features, weights), [row.right for row in unknown]
    return {
        **shown(features, weights),
        "answers": len(unknown),
        "right": [round(share(rows), 3) for rows in (known, unknown)],
        "grounding": min(row.known["grounding"] for row in unknown),
        "auc": auc(likely, right),
        "ece": ece(likely, right, counts(unknown)),
        "bins": bins(likely, right, counts(unknown)),
    }


def share(rows: list[Row]) -> float:
    return float(np.average([row.right for row in rows], weights=counts(rows)))


def fit(rows: list[Row], features: Sequence[str], target: Sequence[bool]) -> np.ndarray:
    """Weights of a logistic model, the bias last, by Newton's method with a little shrinkage."""
    x, y, w = matrix(rows, features), np.array(target, float), counts(rows)
    weights = np.zeros(x.shape[1])
    ridge = np.diag([1e-2] * len(features) + [0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (w * (y - p)) - ridge @ weights
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + ridge
        weights += np.linalg.solve(hessian, gradient)
    return weights


def probabilities(rows: list[Row], features: Sequence[str], weights: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-matrix(rows, features) @ weights))


def matrix(rows: list[Row], features: Sequence[str]) -> np.ndarray:
    return np.array([[*(row.known.get(one, 0.0) for one in features), 1.0] for row in rows])


def counts(rows: list[Row]) -> np.ndarray:
    return np.array([row.counts for row in rows])


def shown(features: Sequence[str], weights: np.ndarray) -> dict[str, Any]:
    named = {name: round(float(one), 2) for name, one in zip(features, weights, strict=False)}
    return {"bias": round(float(weights[-1]), 2), "weights": named}


def auc(likely: np.ndarray, target: Sequence[bool]) -> float:
    """How often one that is true scores above one that is not."""
    yes, no = likely[np.array(target)], likely[~np.array(target)]
    above = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
    return round(float(above), 3)


def weakness(rows: list[Row], likely: np.ndarray, limit: float) -> dict[str, float]:
    """What a limit refuses of questions whose passage was found, and of those without article."""
    found = np.array([row.found for row in rows])
    gone = np.array([row.counts < 1 for row in rows])
    return {
        "wrongly": round(float((likely[found] < limit).mean()), 3),
        "rightly": round(float((likely[gone] < limit).mean()), 3),
    }


def ece(likely: np.ndarray, target: Sequence[bool], w: np.ndarray) -> float:
    """Expected calibration error over ten bins of one width."""
    return round(sum(w_ * abs(p - y) for p, y, w_ in _binned(likely, target, w)), 4)


def bins(likely: np.ndarray, target: Sequence[bool], w: np.ndarray) -> list[str]:
    return [f"{p:.2f} said, {y:.2f} right, {c:.0%}" for p, y, c in _binned(likely, target, w)]


def _binned(
    likely: np.ndarray, target: Sequence[bool], w: np.ndarray
) -> list[tuple[float, float, float]]:
    y, place = np.array(target, float), np.minimum((likely * BINS).astype(int), BINS - 1)
    return [
        (
            float(np.average(likely[place == one], weights=w[place == one])),
            float(np.average(y[place == one], weights=w[place == one])),
            float(w[place == one].sum() / w.sum()),
        )
        for one in range(BINS)
        if (place == one).any()
    ]


def article(document_id: str) -> bytes:
    return document_id.rsplit("#", 1)[0].encode()


if __name__ == "__main__":
    asyncio.run(main())
