"""Ways to cut documents, compared by what retrieval then finds, through the service's own code.

    python benchmarks/chunking.py --articles A --abstracts B --samples samples [--variants V ...]

A variant is `strategy/tokens/overlap`, and the first is what the others are compared with. Each of
three collections is asked if it is given:

`articles`: a collection in BEIR form with `answers.jsonl`, whose document ids are
`article#paragraph`. The paragraphs of an article are joined into one long document. `ndcg@10` ranks
paragraphs: a chunk stands for those that it overlaps, the most covered first. `answered` is the
share of questions whose answer stands whole in a chunk, within the first 2,000 characters
retrieved, which favours neither small chunks nor large ones.
`abstracts`: a collection in BEIR form, every judged document and others up to 700: nDCG@10.
`samples`: documents with headings and tables: `answered`, within 1,000 characters.

Differences come with the 95 % interval of a paired bootstrap over the questions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import numpy as np
from prometheus_client import CollectorRegistry

from adapters.embedder.onnx import OnnxEmbedder
from adapters.parser.text import TextParser
from orchestrator.domain.answers import Query
from orchestrator.domain.documents import Chunk, Upload
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.workspaces import Chunking
from orchestrator.evaluation import beir, metrics, running
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application

VARIANTS = (
    "structure/256/0",
    "structure/256/64",
    "structure/128/0",
    "recursive/256/0",
    "recursive/256/32",
    "recursive/128/0",
    "sentence/256/0",
    "sentence/256/64",
    "sentence/128/32",
    "semantic/256/0",
    "semantic/128/0",
)
QUESTIONS = 1000
ABSTRACTS = 700
FOUND = 40
ROUNDS = 10_000

Scores = dict[str, list[float]]
"""By the name of a metric, one value a question."""


@dataclass(frozen=True)
class Asked:
    """A question, and how the chunks that it finds are scored."""

    text: str
    score: Callable[[Sequence[Chunk]], dict[str, float]]


@dataclass(frozen=True)
class Documents:
    """Documents and questions; has the part of `beir.Collection` that indexing needs."""

    name: str
    files: Sequence[tuple[str, str | None, bytes]]
    asked: Sequence[Asked]

    def uploads(self) -> Iterator[Upload]:
        """Each document, as it would be handed over."""
        for name, title, content in self.files:
            yield Upload(name, BytesIO(content), name, title)


def articles(folder: Path) -> Documents:
    """Long documents; answers are spans of them."""
    titles, parts = {}, defaultdict(list)
    for line in (folder / "corpus.jsonl").read_text().splitlines():
        entry = json.loads(line)
        article, number = entry["_id"].rsplit("#", 1)
        titles[article] = entry["title"]
        parts[article].append((int(number), entry["_id"], _plain(entry["text"])))
    files, places = [], {}
    for article, found in parts.items():
        paragraphs, text = [], ""
        for _, paragraph, words in sorted(found):
            text += "\n\n" if text else ""
            paragraphs.append((paragraph, len(text), len(text) + len(words)))
            text += words
        if TextParser().parse(text.encode()).text != text:
            raise ValueError(f"{article} is not read as it is written: spans would be wrong")
        files.append((f"{article}.txt", titles[article], text.encode()))
        places[f"{article}.txt"] = paragraphs
    collection = beir.load(folder)
    gold = {
        entry["_id"]: entry
        for entry in map(json.loads, (folder / "answers.jsonl").read_text().splitlines())
    }
    chosen = random.Random(0).sample(sorted(collection.questions), QUESTIONS)

    def asked(question: str) -> Asked:
        home, answers = gold[question]["context_id"], gold[question]["answers"]

        def score(chunks: Sequence[Chunk]) -> dict[str, float]:
            ranking = list(dict.fromkeys(one for c in chunks for one in _covered(c, places)))
            return {
                "ndcg@10": metrics.ndcg(ranking, {home: 1}, 10),
                "answered": _answered(chunks, home.rsplit("#", 1)[0] + ".txt", answers, 2000),
            }

        return Asked(collection.questions[question], score)

    return Documents("articles", files, [asked(one) for one in chosen])


def abstracts(folder: Path) -> Documents:
    """Short documents; the best chunk of each counts."""
    collection = beir.load(folder)
    files = {one.source_id: (one.title, one.content.read()) for one in collection.uploads()}
    judged = {document for judged in collection.judgements.values() for document in judged}
    others = random.Random(0).sample(sorted(set(files) - judged), ABSTRACTS - len(judged))

    def asked(question: str, text: str) -> Asked:
        def score(chunks: Sequence[Chunk]) -> dict[str, float]:
            ranking = list(dict.fromkeys(chunk.source_id for chunk in chunks))
            return {"ndcg@10": metrics.ndcg(ranking, collection.judgements[question], 10)}

        return Asked(text, score)

    return Documents(
        "abstracts",
        [(f"{one}", *files[one]) for one in sorted(judged) + others],
        [asked(*one) for one in collection.questions.items()],
    )


def samples(folder: Path) -> Documents:
    """Documents with headings and tables."""
    root = folder / "documents"
    files = [
        (path.relative_to(root).as_posix(), None, path.read_bytes())
        for path in sorted(root.rglob("*.*"))
    ]

    def asked(entry: dict[str, str]) -> Asked:
        def score(chunks: Sequence[Chunk]) -> dict[str, float]:
            return {"answered": _answered(chunks, entry["source"], entry["gold"], 1000)}

        return Asked(entry["question"], score)

    entries = map(json.loads, (folder / "questions.jsonl").read_text().splitlines())
    return Documents("samples", files, [asked(one) for one in entries if one["answerable"]])


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _covered(chunk: Chunk, places: dict[str, list[tuple[str, int, int]]]) -> list[str]:
    """The paragraphs that a chunk overlaps, the most covered first."""
    shared = {
        paragraph: min(end, chunk.end) - max(start, chunk.start)
        for paragraph, start, end in places[chunk.source_id]
    }
    return sorted((one for one in shared if shared[one] > 0), key=shared.__getitem__, reverse=True)


def _answered(chunks: Sequence[Chunk], source: str, answers: Sequence[str], most: int) -> float:
    """Whether who reads so many characters of the chunks, in order, has read an answer."""
    for chunk in chunks:
        text = chunk.text[:most]
        if chunk.source_id == source and any(_plain(one) in text for one in answers):
            return 1.0
        most -= len(text)
    return 0.0


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """How many texts, and tokens of them, the model is asked to embed."""
    tally = {"texts": 0, "tokens": 0}
    embed = OnnxEmbedder.embed

    async def counting(self, texts):
        tally["texts"] += len(texts)
        tally["tokens"] += sum(len(self.token_spans(text)) + 2 for text in texts)
        return await embed(self, texts)

    with patch.object(OnnxEmbedder, "embed", counting):
        yield tally


async def measure(documents: Documents, variant: str, models: Path) -> tuple[dict, Scores]:
    strategy, tokens, overlap = variant.split("/")
    chunking = Chunking(strategy, int(tokens), int(overlap))
    with tempfile.TemporaryDirectory() as folder, counted() as tally:
        settings = load(data_dir=folder, models=models)
        config = replace(settings.workspace, chunking=chunking)
        settings = settings.model_copy(update={"workspace": config})
        watch = Metrics(CollectorRegistry())
        async with open_application(settings, writes=True, telemetry=Telemetry(watch)) as app:
            began = time.perf_counter()
            await running.index(
                documents, app.ingestion, app.workers, app.library, lambda _done, _all: None
            )
            seconds = time.perf_counter() - began
            scores = defaultdict(list)
            for one in documents.asked:
                for name, value in one.score(await _found(app, one.text)).items():
                    scores[name].append(value)
            listed = await app.ingestion.documents(
                DEFAULT_WORKSPACE, after=None, limit=len(documents.files)
            )
    return {**tally, "chunks": sum(one.chunks for one in listed), "s": round(seconds, 1)}, scores


async def _found(app: Application, text: str) -> list[Chunk]:
    found, _ = await app.answering.search(Query(text, Scope(DEFAULT_WORKSPACE), FOUND))
    return [passage.chunk for passage in found.passages]


def compared(scores: Scores, baseline: Scores) -> dict[str, float | list[float]]:
    """The mean of each metric, and where the mean of the differences lies."""
    figures: dict[str, float | list[float]] = {}
    for name, values in scores.items():
        figures[name] = round(float(np.mean(values)), 4)
        differences = np.array(values) - np.array(baseline[name])
        drawn = np.random.default_rng(0).integers(len(values), size=(ROUNDS, len(values)))
        low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
        figures[f"{name} against the first"] = [
            round(float(one), 4) for one in (differences.mean(), low, high)
        ]
    return figures


async def main() -> None:
    """Measure every variant on every collection; print one JSON object for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--abstracts", type=Path)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--variants", nargs="+", default=VARIANTS)
    options = parser.parse_args()
    models = load().models_dir
    for read, folder in (
        (samples, options.samples),
        (articles, options.articles),
        (abstracts, options.abstracts),
    ):
        if folder is None:
            continue
        documents, baseline = read(folder), None
        for variant in options.variants:
            cost, scores = await measure(documents, variant, models)
            baseline = baseline or scores
            figures = compared(scores, baseline)
            line = {"collection": documents.name, "variant": variant, **figures, **cost}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
