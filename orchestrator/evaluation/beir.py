"""Collections in BEIR form: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Rejected


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents to ingest, questions by id, and judgements by question and document id."""

    folder: Path
    questions: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]

    def uploads(self) -> Iterator[Upload]:
        """The documents, one at a time; a document's id is its source id."""
        for entry in _lines(self.folder / "corpus.jsonl", "_id", "text"):
            title, text = str(entry.get("title") or ""), str(entry["text"])
            yield Upload(
                source_id=str(entry["_id"]),
                content=(text if text.strip() else title).encode(),
                filename=f"{entry['_id']}.txt",
                title=title or None,
            )


def load(folder: Path) -> Collection:
    """Read questions and judgements; only judged questions are kept.

    Raises:
        Rejected: naming the file that is missing or not of that form.
    """
    judgements: dict[str, dict[str, int]] = {}
    path = folder / "qrels" / "test.tsv"
    try:
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                grade = int(float(row["score"]))
                if grade > 0:
                    judgements.setdefault(row["query-id"], {})[row["corpus-id"]] = grade
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise Rejected(f"'{path}' cannot be read: {error!r}") from error
    questions = {
        str(entry["_id"]): str(entry["text"])
        for entry in _lines(folder / "queries.jsonl", "_id", "text")
        if str(entry["_id"]) in judgements
    }
    if not (folder / "corpus.jsonl").is_file():
        raise Rejected(f"'{folder / 'corpus.jsonl'}' is missing")
    return Collection(folder, questions, judgements)


def _lines(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    try:
        with path.open() as file:
            for number, line in enumerate(file, start=1):
                entry = json.loads(line)
                if not isinstance(entry, dict) or any(field not in entry for field in fields):
                    raise Rejected(f"'{path}', line {number}, lacks one of {', '.join(fields)}")
                yield entry
    except (OSError, ValueError) as error:
        raise Rejected(f"'{path}' cannot be read: {error}") from error
