"""Questions that somebody labelled with the documents that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.domain.answers import query_text
from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.beir import TEST, entries, load_questions


@dataclass(frozen=True, slots=True)
class Labelled:
    """Questions by id, and grades by question and document: its source id, or its own id."""

    questions: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]
    left_out: int


def load_labelled(path: Path, split: str = TEST) -> Labelled:
    """Read a file of JSON lines, or a folder in BEIR form, whose documents are not looked at.

    Raises:
        Rejected: naming the line that is no labelled question.
    """
    if path.is_dir():
        found = load_questions(path, split)
        return Labelled(found.questions, found.judgements, len(found.left_out))
    questions: dict[str, str] = {}
    judgements: dict[str, Mapping[str, int]] = {}
    left_out = 0
    for number, entry in enumerate(entries(path, "question", "relevant"), start=1):
        if grades := _grades(path, number, entry["relevant"]):
            questions[str(number)] = query_text(str(entry["question"]))
            judgements[str(number)] = grades
        else:
            left_out += 1
    if not questions:
        raise Rejected(f"'{path}' holds no question that a document answers")
    return Labelled(questions, judgements, left_out)


def _grades(path: Path, number: int, relevant: Any) -> dict[str, int]:
    match relevant:
        case list():
            grades = dict.fromkeys((str(one) for one in relevant), 1)
        case dict() if all(isinstance(grade, int) for grade in relevant.values()):
            grades = {str(one): grade for one, grade in relevant.items() if grade > 0}
        case _:
            raise Rejected(
                f"'{path}', question {number}: 'relevant' is a list of documents, or an object of "
                "their grades, which are whole numbers"
            )
    return grades
