"""The weights of the extractive generator, fitted on half the articles of a collection.

    python benchmarks/fitting.py --collection FOLDER [--questions N]

FOLDER is as `answers.py` takes it, which measures what comes of them on the other half. Printed
are the weights in the order of their fields in `adapters/generator`.
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
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adapters.generator.candidates import Candidate, candidates, clauses, quote
from adapters.generator.extractive import CLOSER
from adapters.generator.quoting import clause_signs
from adapters.generator.weighing import LEXICAL, Question, nearest_of
from orchestrator.domain.answers import Query
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import Passage
from orchestrator.evaluation import beir, running
from orchestrator.ports.embedder import Embedder
from orchestrator.settings import load
from orchestrator.wiring import open_application

Numbers: TypeAlias = NDArray[np.float64]
Group: TypeAlias = tuple[Numbers, NDArray[np.bool_]]
TOP_K: Final = 5
FOUND: Final = 30
STEPS: Final = 4_000
RATE: Final = 0.05
KEPT: Final = 0.001
"""How much weights are held back towards 0."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its sentences: their signs, and which of them hold the answer."""

    question: Question
    sentences: Sequence[Candidate]
    signs: Numbers
    right: NDArray[np.bool_]
    gold: Sequence[str]

    def best(self, weights: Sequence[float], count: int) -> Case:
        """The same with its best sentences alone."""
        at = np.argsort(-(self.signs @ np.array(weights)), kind="stable")[:count]
        kept = [self.sentences[one] for one in at]
        return Case(self.question, kept, self.signs[at], self.right[at], self.gold)


async def main() -> None:
    """Index, look questions up, fit, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=1500)
    options = parser.parse_args()
    collection = beir.load(options.collection)
    lines = (options.collection / "answers.jsonl").read_text().splitlines()
    gold = {entry["_id"]: entry for entry in map(json.loads, lines)}
    asked = sorted(
        one
        for one in collection.questions
        if zlib.crc32(_article(gold[one]["context_id"])) % 2 == 0
    )
    asked = random.Random(0).sample(asked, min(options.questions, len(asked)))
    with_answer, without = [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=folder, models=load().models_dir)
        async with open_application(settings, writes=True) as app:
            await running.index(
                collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
            )
            embedder = app.assembly.embedder(settings.workspace)
            for one in asked:
                text, entry = collection.questions[one], gold[one]
                query = Query(text, Scope(DEFAULT_WORKSPACE), FOUND)
                passages = list((await app.answering.search(query))[0].passages)
                home = _article(entry["context_id"])
                other = [p for p in passages if _article(p.chunk.source_id) != home]
                with_answer.append(await _case(embedder, text, passages[:TOP_K], entry))
                without.append(await _case(embedder, text, other[:TOP_K], entry))
    print(json.dumps(_fitted(with_answer, without)))


async def _case(
    embedder: Embedder, text: str, passages: Sequence[Passage], entry: dict[str, Any]
) -> Case:
    sentences = candidates(passages)
    question = Question(text, passages, sentences)
    signs = np.array([question.signs(one) for one in sentences]).reshape(len(sentences), -1)
    closer = np.argsort(-(signs @ np.array(LEXICAL)), kind="stable")[:CLOSER]
    vectors = await embedder.embed([sentences[one].meaning for one in closer])
    likeness = vectors @ await embedder.embed_query(text)
    signs[closer, -1] = likeness
    signs[closer, -2] = nearest_of([sentences[one] for one in closer], likeness.tolist())
    held = [any(one in quote(s.text) for one in entry["answers"]) for s in sentences]
    home = [passages[s.passage].chunk.source_id == entry["context_id"] for s in sentences]
    at_home = np.array(held) & np.array(home)
    right = at_home if at_home.any() else np.array(held)
    return Case(question, sentences, signs, right, entry["answers"])


def _fitted(with_answer: Sequence[Case], without: Sequence[Case]) -> dict[str, list[float]]:
    lexical = [*_shared([(one.signs[:, :-2], one.right) for one in with_answer]), 0.0, 0.0]
    closer = [one.best(LEXICAL, CLOSER) for one in with_answer]
    further = [one.best(LEXICAL, CLOSER) for one in without]
    semantic = _shared([(one.signs, one.right) for one in closer])
    return {
        "LEXICAL": lexical,
        "SEMANTIC": semantic,
        "CLAUSE": _shared([group for one in closer for group in _clauses(one)]),
        "ANSWERED": _logistic(_evidence(closer, semantic), _evidence(further, semantic)),
        "ANSWERED_BY_WORDS": _logistic(
            _evidence(closer, lexical, by_words=True), _evidence(further, lexical, by_words=True)
        ),
    }


def _clauses(case: Case) -> list[Group]:
    found = []
    for sentence in (one for one, right in zip(case.sentences, case.right, strict=True) if right):
        spans = clauses(sentence.text)
        starts = [(sentence.text.find(one), len(one)) for one in case.gold]
        right = [any(at >= 0 and a < at + n and at < b for at, n in starts) for a, b in spans]
        signs = clause_signs(case.question, [sentence.text[a:b] for a, b in spans])
        found.append((np.array(signs), np.array(right)))
    return found


def _evidence(cases: Sequence[Case], weights: Sequence[float], by_words: bool = False) -> Numbers:
    rows = []
    for one in cases:
        if not one.sentences:
            continue
        best = one.sentences[int(np.argmax(one.signs @ np.array(weights)))]
        likeness = None if by_words else float(one.signs[:, -1].max())
        if known := one.question.evidence(best, likeness):
            rows.append(known)
    return np.array(rows)


def _shared(groups: Sequence[Group]) -> list[float]:
    """Weights by which one thing of each group is right, as likely as can be."""
    told = [group for group in groups if group[1].any() and not group[1].all()]
    signs = np.concatenate([one for one, _ in told])
    right = np.concatenate([one for _, one in told])
    starts = np.cumsum([0] + [len(one) for _, one in told])[:-1]
    of = np.repeat(np.arange(len(told)), [len(one) for _, one in told])

    def slope(scores: Numbers) -> Numbers:
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[of])
        hit = odds * right
        return hit / np.add.reduceat(hit, starts)[of] - odds / np.add.reduceat(odds, starts)[of]

    return _climbed(signs, slope, len(told))


def _logistic(yes: Numbers, no: Numbers) -> list[float]:
    signs = np.concatenate([yes, no])
    true = np.concatenate([np.ones(len(yes)), np.zeros(len(no))])
    return _climbed(signs, lambda scores: true - 1 / (1 + np.exp(-scores)), len(true))


def _climbed(signs: Numbers, slope: Any, count: int) -> list[float]:
    """The weights where the slope, of each row by its score, comes to nothing; by Adam."""
    spread = signs.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = signs / spread
    weights, mean, square = (np.zeros(signs.shape[1]) for _ in range(3))
    for step in range(1, STEPS + 1):
        towards = scaled.T @ slope(scaled @ weights) / count - KEPT * weights
        mean = 0.9 * mean + 0.1 * towards
        square = 0.999 * square + 0.001 * towards**2
        rate = RATE * (1 - step / (STEPS + 1))
        weights += rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return [round(float(one), 2) for one in weights / spread]


def _article(document_id: str) -> bytes:
    return document_id.rsplit("#", 1)[0].encode()


if __name__ == "__main__":
    asyncio.run(main())
