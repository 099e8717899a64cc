"""What checking an answer costs, and what of it is caught.

    python benchmarks/grounding.py --quoted FOLDER --claimed FOLDER [--sentences N]

QUOTED is a collection in BEIR form of plain text (SQuAD): sentences of it are cited as they are,
with a number changed, a negation added, a name exchanged for another of the same collection, and
with the passage of another document. CLAIMED is one whose questions are statements (SciFact):
each cites the document that it was written from, and the one of the others that shares most of
its words. Milliseconds are processor time of the event loop's thread, for one answer of five
sentences and five passages; an embedder works on threads of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.embedder.onnx import open_onnx
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.verifying import EmbeddingVerifier
from orchestrator.contracts.specimens import passage
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import sentences
from orchestrator.domain.words import negated, words
from orchestrator.evaluation import beir
from orchestrator.ports.verifier import Claim, Verifier
from orchestrator.settings import load

THRESHOLD = 0.5
RUNS = 60
LENGTH = range(8, 40)
"""So many words a sentence has that is taken."""
_NUMBER = re.compile(r"(?<![\w.,])\d{1,4}(?![\w.,]*\d)")
_VERB = re.compile(r"\b(?:is|are|was|were|can|will|had|has|have)\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")

Cases = dict[str, list[Claim]]


async def main() -> None:
    """Measure by words, and with the embedder; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quoted", type=Path, required=True)
    parser.add_argument("--claimed", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=400)
    options = parser.parse_args()
    quoted = [
        passage(one["text"], chunk_id=number, title=one.get("title") or "")
        for number, one in enumerate(lines(options.quoted / "corpus.jsonl"))
    ]
    cases = altered(quoted, options.sentences)
    claims = claimed(options.claimed)
    async with open_onnx(load().models_dir / "all-MiniLM-L6-v2", threads=0) as embedder:
        verifiers = {"lexical": LexicalVerifier(), "embedding": EmbeddingVerifier(embedder)}
        told = {
            name: {
                **{kind: await share(one, found) for kind, found in cases.items()},
                **await separated(one, claims),
                "ms, each citing all": await cost(one, quoted, every=True),
                "ms, each citing one": await cost(one, quoted, every=False),
            }
            for name, one in verifiers.items()
        }
    print(json.dumps(told, indent=1))


def altered(passages: Sequence[Passage], count: int) -> Cases:
    """Sentences of the passages, as they are and changed, each with what it cites."""
    chosen = random.Random(0)
    order = chosen.sample(range(len(passages)), len(passages))
    names = [name for one in passages for name in _NAME.findall(one.chunk.text)]
    cases: Cases = {name: [] for name in ("quoted", "number", "negation", "name", "elsewhere")}
    for place, elsewhere in zip(order, [*order[1:], order[0]], strict=True):
        here, text = passages[place], passages[place].chunk.text
        spans = [(a, b) for a, b in sentences(text) if len(text[a:b].split()) in LENGTH]
        if not spans or passages[elsewhere].chunk.title == here.chunk.title:
            continue
        start, end = chosen.choice(spans)
        sentence, other = text[start:end], chosen.choice(names)
        changed = {
            "quoted": sentence,
            "number": _NUMBER.sub(lambda found: str(int(found[0]) + 7), sentence, count=1),
            "negation": sentence
            if negated(sentence)
            else _VERB.sub(lambda found: f"{found[0]} not", sentence, count=1),
            "name": sentence if other in text else _NAME.sub(other, sentence, count=1),
        }
        for kind, said in changed.items():
            if kind == "quoted" or said != sentence:
                cases[kind].append(Claim((said,), (here,)))
        cases["elsewhere"].append(Claim((sentence,), (passages[elsewhere],)))
    return {kind: found[:count] for kind, found in cases.items()}


def claimed(folder: Path) -> Cases:
    """Claims with the document that they were written from, and with the likest other one."""
    collection = beir.load(folder)
    documents = {
        str(one["_id"]): passage(one["text"], title=one.get("title") or "")
        for one in lines(folder / "corpus.jsonl")
    }
    terms = {name: {w.term for w in words(one.chunk.text)} for name, one in documents.items()}
    cases: Cases = {"of its source": [], "of another": []}
    for number, text in collection.questions.items():
        relevant = collection.judgements[number]
        asked = {one.term for one in words(text)}
        likest = max(terms.keys() - relevant.keys(), key=lambda name: len(asked & terms[name]))
        source = documents[next(iter(relevant))]
        cases["of its source"].append(Claim((text,), (source,)))
        cases["of another"].append(Claim((text,), (documents[likest],)))
    return cases


async def share(verifier: Verifier, found: Sequence[Claim]) -> float:
    """The share that is supported."""
    scores = await verifier.support(found)
    return round(statistics.fmean(one >= THRESHOLD for one in scores), 3)


async def separated(verifier: Verifier, cases: Cases) -> dict[str, float]:
    """What is supported of the claims, and how often the source scores above the other."""
    source, other = [list(await verifier.support(found)) for found in cases.values()]
    above = statistics.fmean((a > b) + 0.5 * (a == b) for a in source for b in other)
    shares = {kind: await share(verifier, found) for kind, found in cases.items()}
    return {**shares, "auc": round(above, 3)}


async def cost(verifier: Verifier, passages: Sequence[Passage], *, every: bool) -> dict[str, float]:
    """Milliseconds of an answer of five sentences, each a word short of a quotation."""
    taken = []
    for run in range(RUNS):
        given = tuple(passages[(run * 31 + step * 7) % len(passages)] for step in range(5))
        asked = []
        for one in given:
            start, end = sentences(one.chunk.text)[0]
            first, _, *rest = [*one.chunk.text[start:end].split()[:40], "", ""]
            asked.append(Claim((" ".join([first, *rest]),), given if every else (one,)))
        began = time.thread_time()
        await verifier.support(asked)
        taken.append((time.thread_time() - began) * 1e3)
    return {"p50": round(statistics.median(taken), 2), "most": round(max(taken), 2)}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    asyncio.run(main())
