"""What a run gave for each question, kept in a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.beir import entries
from orchestrator.evaluation.running import Asked

LATENCY: Final = "latency_ms"
_NAMED: Final = ("question", "ranking")


@dataclass(frozen=True, slots=True)
class Result:
    """One question's figures, its latency among them, and the documents it was given."""

    figures: Mapping[str, float]
    ranking: Sequence[str]


Results = Mapping[str, Result]
"""By question id."""


def results(asked: Mapping[str, Asked], figures: Mapping[str, Mapping[str, float]]) -> Results:
    """What was asked beside what was measured."""
    return {
        question: Result({**figures[question], LATENCY: one.latency_ms}, one.ranking)
        for question, one in asked.items()
    }


def write(path: Path, found: Results) -> None:
    """Write a line for each question.

    Raises:
        Rejected: when the file cannot be written.
    """
    lines = (
        {"question": question}
        | {name: round(value, 6) for name, value in one.figures.items()}
        | {"ranking": list(one.ranking)}
        for question, one in found.items()
    )
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except OSError as error:
        raise Rejected(f"'{path}' cannot be written: {error.strerror}") from error


def read(path: Path) -> Results:
    """What `write` wrote.

    Raises:
        Rejected: naming the line that is no result.
    """
    found = {str(one["question"]): _result(path, one) for one in entries(path, *_NAMED)}
    if not found:
        raise Rejected(f"'{path}' holds no results")
    return found


def _result(path: Path, entry: Mapping[str, Any]) -> Result:
    figures = {name: value for name, value in entry.items() if name not in _NAMED}
    if not all(isinstance(value, int | float) for value in figures.values()):
        raise Rejected(f"'{path}', question '{entry['question']}': a figure is no number")
    return Result(figures, entry["ranking"])
