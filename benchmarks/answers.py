"""How often the extractive generator quotes the answer, and how often it rightly refuses.

    python benchmarks/answers.py --collection FOLDER [--questions N]

FOLDER is a collection in BEIR form with `answers.jsonl` (`_id`, `answers`) whose document ids are
`article#paragraph`. Each question is asked three times of what retrieval finds: as it is; without
the paragraph that answers; and without the whole article. Questions are drawn from the half of the
articles that the generator was not fitted on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import zlib
from pathlib import Path
from typing import Any

from orchestrator.domain.answers import Outcome, Query, Token
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import Passage
from orchestrator.evaluation import beir, running
from orchestrator.settings import load
from orchestrator.wiring import Application, open_application

TOP_K = 5
FOUND = 30


async def main() -> None:
    """Index, ask, and print shares of questions as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=600)
    options = parser.parse_args()
    collection = beir.load(options.collection)
    gold = {}
    for line in (options.collection / "answers.jsonl").read_text().splitlines():
        entry = json.loads(line)
        gold[entry["_id"]] = entry
    unseen = sorted(
        one for one in collection.questions if zlib.crc32(_article(gold[one]["context_id"])) % 2
    )
    chosen = random.Random(0).sample(unseen, min(options.questions, len(unseen)))
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=folder, models=load().models_dir)
        async with open_application(settings, writes=True) as app:
            await running.index(
                collection, app.ingestion, app.workers, app.library, lambda _done, _all: None
            )
            rows = [await _ask(app, collection.questions[one], gold[one]) for one in chosen]
    print(json.dumps({name: round(sum(r[name] for r in rows) / len(rows), 3) for name in rows[0]}))


async def _ask(app: Application, question: str, gold: dict[str, Any]) -> dict[str, float]:
    query = Query(question, Scope(DEFAULT_WORKSPACE), FOUND)
    found, _ = await app.answering.search(query)
    home = gold["context_id"]
    moment = await app.library.pin(DEFAULT_WORKSPACE)
    generator = app.assembly.pipeline(moment).generator

    async def answer(passages: list[Passage]) -> tuple[str, bool]:
        text, answerable = "", False
        async for piece in generator.generate(query, passages[:TOP_K]):
            match piece:
                case Token():
                    text += piece.text
                case Outcome():
                    answerable = piece.answerable
        return text, answerable

    passages = list(found.passages)
    text, answerable = await answer(passages)
    elsewhere = [p for p in passages if p.chunk.source_id != home]
    other = [p for p in passages if _article(p.chunk.source_id) != _article(home)]
    return {
        "right_passage_first": float(passages[0].chunk.source_id == home),
        "answer_quoted": float(answerable and any(one in text for one in gold["answers"])),
        "words_quoted": len(text.split()),
        "falsely_refused": float(not answerable),
        "refused_without_paragraph": float(not (await answer(elsewhere))[1]),
        "refused_without_article": float(not (await answer(other))[1]),
    }


def _article(document_id: str) -> bytes:
    return document_id.rsplit("#", 1)[0].encode()


if __name__ == "__main__":
    asyncio.run(main())
