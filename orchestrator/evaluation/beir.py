"""Collections in BEIR form: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from orchestrator.domain.characters import UNKEPT, kept
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Rejected

TEST: Final = "test"
_COLUMNS: Final = ("query-id", "corpus-id", "score")


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents to ingest, questions by id, and judgements by question and document id.

    `left_out` are the judged questions that no document answers, and the judgements of questions
    that there are not: neither can be measured.
    """

    folder: Path
    questions: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]
    left_out: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.resolve().name

    def uploads(self) -> Iterator[Upload]:
        """The documents, one at a time; a document's id is its source id.

        Raises:
            Rejected: naming a line that is no document, or an id that comes twice.
        """
        seen: set[str] = set()
        for entry in entries(self.folder / "corpus.jsonl", "_id", "text"):
            if str(entry["_id"]) in seen:
                raise Rejected(f"'{self.folder / 'corpus.jsonl'}' holds '{entry['_id']}' twice")
            seen.add(str(entry["_id"]))
            title, text = str(entry.get("title") or ""), str(entry["text"])
            yield Upload(
                source_id=str(entry["_id"]),
                content=BytesIO((text if text.strip() else title).encode()),
                filename=f"{entry['_id']}.txt",
                title=title or None,
            )


def load(folder: Path, split: str = TEST) -> Collection:
    """Read questions and judgements; only questions that a document answers are kept.

    Raises:
        Rejected: naming the file, and the line of it, that is missing or not of that form.
    """
    collection = load_questions(folder, split)
    if not (folder / "corpus.jsonl").is_file():
        raise Rejected(f"'{folder / 'corpus.jsonl'}' is missing")
    return collection


def load_questions(folder: Path, split: str = TEST) -> Collection:
    """The same, where the documents may be missing: they are elsewhere already."""
    judged = folder / "qrels" / f"{split}.tsv"
    found = _judgements(judged)
    judgements = {question: grades for question, grades in found.items() if grades}
    questions = {
        str(entry["_id"]): str(entry["text"])
        for entry in entries(folder / "queries.jsonl", "_id", "text")
        if str(entry["_id"]) in judgements
    }
    if not questions:
        raise Rejected(f"'{judged}' judges no document relevant to a question of 'queries.jsonl'")
    return Collection(
        folder,
        questions,
        {question: judgements[question] for question in questions},
        [question for question in found if question not in questions],
    )


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    lines = _lines(path)
    header = next(lines, (1, ""))[1].split("\t")
    if not set(_COLUMNS) <= set(header):
        raise Rejected(f"'{path}', line 1, must be {', '.join(_COLUMNS)}, parted by tabs")
    judgements: dict[str, dict[str, int]] = {}
    for number, line in lines:
        try:
            row = dict(zip(header, line.split("\t"), strict=True))
            grade = int(float(row["score"]))
        except (ValueError, OverflowError) as error:
            raise Rejected(f"'{path}', line {number}, is no judgement: {error}") from error
        relevant = judgements.setdefault(row["query-id"], {})
        if grade > 0:
            relevant[row["corpus-id"]] = grade
    return judgements


def entries(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, each with these fields.

    Raises:
        Rejected: naming the line that is none.
    """
    for number, line in _lines(path):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise Rejected(f"'{path}', line {number}, is not JSON: {error.msg}") from error
        if not isinstance(entry, dict) or any(field not in entry for field in fields):
            raise Rejected(f"'{path}', line {number}, lacks one of {', '.join(fields)}")
        if not kept(entry):
            raise Rejected(f"'{path}', line {number}, {UNKEPT}")
        yield entry


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every line that is not blank, with its number from 1."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, raw.decode().strip("\r\n")
    except UnicodeDecodeError as error:
        raise Rejected(f"'{path}', line {number}, is not UTF-8") from error
    except OSError as error:
        raise Rejected(f"'{path}' cannot be read: {error}") from error
