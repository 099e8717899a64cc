"""How often the extractive generator quotes the answer, and how often it rightly refuses.

    python benchmarks/answers.py --collection FOLDER [--questions N]

FOLDER is a collection in BEIR form with `answers.jsonl` (`_id`, `answers`) whose document ids are
`article#paragraph`. Each question is asked, at both lengths of answers, of what retrieval finds;
then without the paragraph that answers, and without the whole article, of what it finds of the
rest. One line of JSON is of the half of the articles that the generator was fitted on, one of the
other. A refusal quotes nothing; words are of answers that were given, citations among them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from adapters.generator.extractive import ExtractiveGenerator
from orchestrator.domain.answers import Outcome, Query, Token
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import Passage
from orchestrator.evaluation import beir, running
from orchestrator.ports.embedder import Embedder
from orchestrator.settings import load
from orchestrator.settings.generators import ExtractiveGeneratorOptions
from orchestrator.wiring import Application, open_application

TOP_K: Final = 5
FOUND: Final = 30
LENGTHS: Final = (30, 60)
HALVES: Final = ("fitted", "held_out")


async def main() -> None:
    """Index, ask, and print shares of questions as one JSON object for each half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=600, help="of each half")
    options = parser.parse_args()
    collection = beir.load(options.collection)
    lines = (options.collection / "answers.jsonl").read_text().splitlines()
    gold = {entry["_id"]: entry for entry in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=folder, models=load().models_dir)
        async with open_application(settings, writes=True) as app:
            await running.index(
                collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
            )
            for half, name in enumerate(HALVES):
                asked = sorted(
                    one
                    for one in collection.questions
                    if zlib.crc32(_article(gold[one]["context_id"])) % 2 == half
                )
                asked = random.Random(0).sample(asked, min(options.questions, len(asked)))
                rows = [await _ask(app, collection.questions[one], gold[one]) for one in asked]
                print(json.dumps({"articles": name, "questions": len(rows), **_summary(rows)}))


async def _ask(app: Application, question: str, gold: dict[str, Any]) -> dict[str, Any]:
    query = Query(question, Scope(DEFAULT_WORKSPACE), TOP_K)
    began = time.perf_counter()
    await app.answering.answer(query)
    took = time.perf_counter() - began
    found, _ = await app.answering.search(Query(question, query.scope, FOUND))
    home, passages = gold["context_id"], list(found.passages)
    elsewhere = [p for p in passages if p.chunk.source_id != home]
    other = [p for p in passages if _article(p.chunk.source_id) != _article(home)]
    row: dict[str, Any] = {
        "first": passages[0].chunk.source_id == home,
        "given": any(p.chunk.source_id == home for p in passages[:TOP_K]),
        "ms": took * 1000,
    }
    moment = await app.library.pin(DEFAULT_WORKSPACE)
    embedder = app.assembly.embedder(moment.workspace.config)
    for words in LENGTHS:
        text = await _answer(embedder, words, query, passages)
        row[f"quoted_{words}"] = text is not None and any(one in text for one in gold["answers"])
        row[f"words_{words}"] = None if text is None else len(text.split())
    row["refused"] = row[f"words_{LENGTHS[0]}"] is None
    for name, left in (("paragraph", elsewhere), ("article", other)):
        row[f"refused_without_{name}"] = await _answer(embedder, LENGTHS[0], query, left) is None
    return row


async def _answer(
    embedder: Embedder, words: int, query: Query, passages: Sequence[Passage]
) -> str | None:
    chosen = ExtractiveGeneratorOptions(kind="extractive")
    generator = ExtractiveGenerator(
        words=words, sentences=chosen.sentences, evidence=chosen.evidence, embedder=embedder
    )
    text, answerable = "", False
    async for piece in generator.generate(query, passages[:TOP_K]):
        match piece:
            case Token():
                text += piece.text
            case Outcome():
                answerable = piece.answerable
    return text if answerable else None


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    def share(name: str) -> float:
        return round(sum(row[name] for row in rows) / len(rows), 3)

    told: dict[str, Any] = {
        "right_passage_first": share("first"),
        "right_passage_given": share("given"),
        "falsely_refused": share("refused"),
        "refused_without_paragraph": share("refused_without_paragraph"),
        "refused_without_article": share("refused_without_article"),
    }
    for words in LENGTHS:
        counted = [row[f"words_{words}"] for row in rows if row[f"words_{words}"] is not None]
        told[f"at_{words}"] = {
            "answer_quoted": share(f"quoted_{words}"),
            "words": round(statistics.mean(counted), 1),
            "most_words": max(counted),
        }
    return told | {"p50_ms": round(statistics.median(row["ms"] for row in rows), 1)}


def _article(document_id: str) -> bytes:
    return document_id.rsplit("#", 1)[0].encode()


if __name__ == "__main__":
    asyncio.run(main())
