"""Grounding: what an answer says of each of its sentences, and of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeAlias

Policy: TypeAlias = Literal["flag", "remove", "refuse"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, `[start, end)` in its characters, and how well it is supported.

    `cites` are the passages that it was held against. What claims nothing (a heading, the words
    before a list, a courtesy, the refusal) has no `score`, and nothing to support.
    """

    start: int
    end: int
    cites: tuple[int, ...]
    score: float | None
    supported: bool


@dataclass(frozen=True, slots=True)
class Grounded:
    """How well an answer is supported by what it cites: the mean over its sentences, in [0, 1].

    The score is none where nothing is claimed. `withheld` counts sentences that were not shown.
    """

    policy: Policy
    verifier: str
    threshold: float
    score: float | None = None
    sentences: tuple[Sentence, ...] = ()
    withheld: int = 0


def mean_score(sentences: Iterable[Sentence]) -> float | None:
    """The mean score of those that claim something."""
    scores = [one.score for one in sentences if one.score is not None]
    return round(fmean(scores), 3) if scores else None
