"""How often compression keeps the answer, and how often passages are wrongly taken for the same.

    python benchmarks/packing.py --collection FOLDER [--questions N]

FOLDER is a collection in BEIR form with `answers.jsonl` (`_id`, `context_id`, `answers`) whose
document ids are `article#paragraph`. Each question's paragraph is compressed among nine others of
its article, and compared with whole sentences of its beginning, as many as there is room for.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.answering.compressing import Compression
from orchestrator.answering.merging import distinct
from orchestrator.domain.documents import Chunk
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import sentences
from orchestrator.evaluation import beir

SHARES = (0.6, 0.4, 0.25)
OTHERS = 9


def main() -> None:
    """Compress, and print shares of questions as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=1500)
    options = parser.parse_args()
    questions = beir.load(options.collection).questions
    articles = _articles(options.collection)
    lines = (options.collection / "answers.jsonl").read_text().splitlines()
    gold = [one for one in map(json.loads, lines) if one["_id"] in questions]
    chosen = random.Random(0).sample(gold, min(options.questions, len(gold)))
    told: dict[str, float] = {
        "passages": sum(map(len, articles.values())),
        "taken_for_the_same": sum(
            len(one) - len(distinct(list(one.values()))) for one in articles.values()
        ),
    }
    for share in SHARES:
        rows = [_kept(questions[one["_id"]], one, articles, share) for one in chosen]
        for name in rows[0]:
            told[f"{name}_at_{share}"] = round(sum(row[name] for row in rows) / len(rows), 3)
    print(json.dumps(told, indent=2))


def _articles(folder: Path) -> Mapping[str, Mapping[str, Passage]]:
    found: dict[str, dict[str, Passage]] = defaultdict(dict)
    for number, line in enumerate((folder / "corpus.jsonl").read_text().splitlines()):
        one = json.loads(line)
        name, text = one["_id"], one["text"]
        chunk = Chunk(number, name, name, 1, one["title"], text, 0, len(text))
        found[name.partition("#")[0]][name] = Passage(chunk, 1.0)
    return found


def _kept(
    question: str,
    gold: Mapping[str, Any],
    articles: Mapping[str, Mapping[str, Passage]],
    share: float,
) -> dict[str, float]:
    name = gold["context_id"]
    article = articles[name.partition("#")[0]]
    drawn = random.Random(name).sample(sorted(article), min(OTHERS, len(article)))
    found = [article[name], *(article[other] for other in drawn if other != name)]
    shorter = Compression(question, found).of(found[0], share)
    text, told = found[0].chunk.text, shorter.chunk.text if shorter else ""
    return {
        "kept": _holds(told, gold["answers"]),
        "beginning_kept": _holds(_beginning(text, share), gold["answers"]),
        "length": len(told) / len(text),
    }


def _holds(text: str, answers: Sequence[str]) -> bool:
    return any(one in text for one in answers)


def _beginning(text: str, share: float) -> str:
    ends = [end for _, end in sentences(text) if end <= share * len(text)]
    return text[: max(ends, default=0)]


if __name__ == "__main__":
    main()
