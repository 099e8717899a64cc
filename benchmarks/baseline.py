"""A plain script to be compared with: whole documents, BM25 and dense search, one z-score fusion.

    python benchmarks/baseline.py FOLDER plain.jsonl
    rag eval FOLDER --per-query ours.jsonl
    rag eval --compare plain.jsonl ours.jsonl

FOLDER is a collection in BEIR form. Each document is one text, which the model reads as far as it
reads; 100 hits of each side are brought to mean 0 and deviation 1, and added; what one side did
not find counts there as its worst hit. Same model and same stems as the service; none of its code
that cuts, fuses or ranks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import tantivy

from adapters.embedder.onnx import OnnxEmbedder, open_onnx
from adapters.embedder.pulling import NAME
from adapters.keywords.reading import ENGLISH, SCHEMA
from orchestrator.evaluation import beir, metrics, results
from orchestrator.evaluation.running import Asked
from orchestrator.settings import load

DEPTH = 100
BATCH = 256


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    collection = beir.load(given.folder)
    documents = [
        (str(one["_id"]), f"{one.get('title') or ''}\n{one['text']}".strip())
        for one in beir.entries(given.folder / "corpus.jsonl", "_id", "text")
    ]
    with tempfile.TemporaryDirectory() as scratch:
        words = keyword_index(Path(scratch), [text for _, text in documents])
        async with open_onnx(load().models_dir / NAME, threads=0) as embedder:
            asked = await ask(collection, documents, words, embedder)
    figures = metrics.Measuring(collection.judgements).of_each(
        {question: one.ranking for question, one in asked.items()}
    )
    results.write(given.file, results.results(asked, figures))
    print(json.dumps({k: round(v, 4) for k, v in metrics.means(figures.values()).items()}))


def keyword_index(folder: Path, texts: list[str]) -> tantivy.Index:
    index = tantivy.Index(SCHEMA, path=str(folder))
    index.register_tokenizer(ENGLISH.language, ENGLISH.analyzer)
    writer = index.writer(64_000_000, 1)
    for place, text in enumerate(texts):
        writer.add_json(json.dumps({"id": place, "text": text}))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index


async def ask(
    collection: beir.Collection,
    documents: list[tuple[str, str]],
    words: tantivy.Index,
    embedder: OnnxEmbedder,
) -> dict[str, Asked]:
    texts = [text for _, text in documents]
    parts = [await embedder.embed(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    vectors, searcher, asked = np.concatenate(parts), words.searcher(), {}
    for question, text in collection.questions.items():
        began = time.perf_counter()
        likeness = vectors @ await embedder.embed_query(text)
        near = np.argsort(-likeness)[:DEPTH]
        dense = {int(place): float(likeness[place]) for place in near}
        best = fused(dense, keywords(searcher, text))
        took = (time.perf_counter() - began) * 1e3
        asked[question] = Asked([documents[place][0] for place in best[:DEPTH]], took)
    return asked


def keywords(searcher: tantivy.Searcher, text: str) -> dict[int, float]:
    hits = searcher.search(ENGLISH.any_of(ENGLISH.words(text)), limit=DEPTH, count=False).hits
    places = searcher.fast_field_values("id", [address for _, address in hits])
    return {int(place): score for place, (score, _) in zip(places, hits, strict=True)}


def fused(*sides: dict[int, float]) -> list[int]:
    total: dict[int, float] = dict.fromkeys((place for side in sides for place in side), 0.0)
    for side in sides:
        if not side:
            continue
        scores = np.array(list(side.values()))
        deviation = scores.std() or 1.0
        for place in total:
            total[place] += (side.get(place, scores.min()) - scores.mean()) / deviation
    return sorted(total, key=lambda place: -total[place])


if __name__ == "__main__":
    asyncio.run(main())
