"""Spare parts with a number each, among sentences that are more like the questions than they are.

Questions name the number: who searches by meaning alone finds the sentences, who counts rare words
the part.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PARTS = 20
SENTENCES = 15


def documents() -> dict[str, str]:
    parts = {
        f"part-{number}.txt": (
            f"The spare part ZX{1000 + 37 * number} lies in the cellar, behind box {number}."
        )
        for number in range(PARTS)
    }
    sentences = {
        f"note-{number}.txt": f"Where is the spare part safely kept? {name}"
        for number, name in enumerate("bcdefghjklmnopq"[:SENTENCES])
    }
    return parts | sentences


def questions() -> list[dict[str, Any]]:
    return [
        {
            "question": f"Where is the spare part ZX{1000 + 37 * number} kept?",
            "relevant": [f"part-{number}.txt"],
        }
        for number in range(PARTS)
    ]


def write(folder: Path) -> Path:
    """The documents in `docs`, the questions in `questions.jsonl`; gives the latter."""
    (folder / "docs").mkdir(parents=True)
    for name, text in documents().items():
        (folder / "docs" / name).write_text(text)
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in questions()))
    return path


def write_collection(folder: Path) -> Path:
    """The same in BEIR form."""
    (folder / "qrels").mkdir(parents=True)
    asked = questions()
    entries = {
        "corpus": [{"_id": name, "text": text} for name, text in documents().items()],
        "queries": [{"_id": f"q{n}", "text": one["question"]} for n, one in enumerate(asked)],
    }
    for name, found in entries.items():
        lines = "".join(json.dumps(entry) + "\n" for entry in found)
        (folder / f"{name}.jsonl").write_text(lines)
    judged = [f"q{n}\t{one['relevant'][0]}\t1" for n, one in enumerate(asked)]
    (folder / "qrels" / "test.tsv").write_text(
        "\n".join(["query-id\tcorpus-id\tscore", *judged, ""])
    )
    return folder
