"""Fusion: two rankings of the same chunks become one, with scores in [0, 1]."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from orchestrator.domain.passages import Candidate, Hit, Share, StageScore
from orchestrator.domain.workspaces import Fusion

Rankings = Mapping[str, Sequence[Hit]]
"""Hits, best first, by the stage that found them."""


def fuse(
    rankings: Rankings, fusion: Fusion, *, limit: int, explain: bool = False
) -> list[Candidate]:
    """The best `limit` candidates of all rankings; ties go to the lower chunk id.

    Chunks that a stage did not find count there as its worst hit (`weighted`; with `distribution`
    as three deviations below the mean), or not at all (`rrf`, and where all its hits have one
    score, which tells only found from not found). With `explain`, candidates have their shares.
    """
    weights = {"dense": fusion.dense, "keyword": fusion.keyword}
    found: dict[int, Scores] = {}
    for stage, hits in rankings.items():
        for rank, hit in enumerate(hits, start=1):
            found.setdefault(hit.chunk_id, {})[stage] = (hit.score, rank)
    combine = _reciprocal_ranks if fusion.method == "rrf" else _weighted
    score = combine(rankings, weights, fusion)
    shares = _shares(rankings, weights, fusion) if explain else _nothing
    best = heapq.nsmallest(limit, ((-score(one), chunk_id) for chunk_id, one in found.items()))
    return [
        Candidate(
            chunk_id,
            min(max(-negated, 0.0), 1.0),
            {stage: StageScore(*one) for stage, one in found[chunk_id].items()},
            shares(found[chunk_id]),
        )
        for negated, chunk_id in best
    ]


def alone(stage: str, hits: Sequence[Hit]) -> list[Candidate]:
    """One ranking as candidates: cosines moved to [0, 1], keyword scores relative to the best."""
    best = max((hit.score for hit in hits), default=1.0) or 1.0
    unit: Callable[[float], float] = (
        (lambda score: min(max(score, 0.0), 1.0))
        if stage == "dense"
        else (lambda score: score / best)
    )
    return [
        Candidate(hit.chunk_id, unit(hit.score), {stage: StageScore(hit.score, rank)})
        for rank, hit in enumerate(hits, start=1)
    ]


Scores = dict[str, tuple[float, int]]
"""What each stage gave one chunk: its raw score, and its rank from 1."""
Score = Callable[[Scores], float]
Shares = Callable[[Scores], Mapping[str, Share]]


def _reciprocal_ranks(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> Score:
    """Cormack, Clarke and Büttcher, SIGIR 2009, over the best score there can be."""
    best = sum(weights[stage] for stage in rankings) / (fusion.k + 1) or 1.0

    def score(found: Scores) -> float:
        return sum(weights[stage] / (fusion.k + rank) for stage, (_, rank) in found.items()) / best

    return score


def _nothing(_found: Scores) -> Mapping[str, Share]:
    return {}


def _shares(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> Shares:
    if fusion.method == "rrf":
        total = sum(weights[stage] for stage in rankings) or 1.0

        def reciprocal(found: Scores) -> Mapping[str, Share]:
            return {
                stage: Share(weights[stage] / total, (fusion.k + 1) / (fusion.k + rank), True)
                for stage, (_, rank) in found.items()
            }

        return reciprocal
    parts = _parts(rankings, weights, fusion)

    def weighted(found: Scores) -> Mapping[str, Share]:
        return {
            part.stage: Share(part.weight, part.value(found), part.stage in found) for part in parts
        }

    return weighted


def _weighted(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> Score:
    """A weighted mean of scores that were moved and scaled, each stage by its own hits."""
    parts = _parts(rankings, weights, fusion)
    squash = _squash if fusion.normalise == "zscore" else float

    def score(found: Scores) -> float:
        mean = 0.0
        for stage, least, offset, slope, weight in parts:
            raw = found[stage][0] if stage in found else least
            mean += weight * ((raw - offset) * slope if slope else float(stage in found))
        return squash(mean)

    return score


class _Part(NamedTuple):
    """A stage of a weighted mean: its least score, how scores are moved and scaled, its weight."""

    stage: str
    least: float
    offset: float
    slope: float
    weight: float

    def value(self, found: Scores) -> float:
        """What the stage says of a chunk, before it is weighted."""
        if not self.slope:
            return float(self.stage in found)
        raw = found[self.stage][0] if self.stage in found else self.least
        return (raw - self.offset) * self.slope


def _parts(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> list[_Part]:
    measure = _MEASURES[fusion.normalise]
    lines = {stage: measure([h.score for h in hits]) for stage, hits in rankings.items() if hits}
    total = sum(weights[stage] for stage in lines) or 1.0
    worst = (
        {stage: offset for stage, (offset, _) in lines.items()}
        if fusion.normalise == "distribution"
        else {stage: rankings[stage][-1].score for stage in lines}
    )
    return [_Part(stage, worst[stage], *lines[stage], weights[stage] / total) for stage in lines]


def _minmax(scores: Sequence[float]) -> tuple[float, float]:
    """Offset and slope that bring the scores to [0, 1]; slope 0 where they are all the same."""
    low, span = min(scores), max(scores) - min(scores)
    return low, 1 / span if span else 0.0


def _zscore(scores: Sequence[float]) -> tuple[float, float]:
    """Offset and slope that bring the scores to mean 0 and deviation 1."""
    values = np.asarray(scores)
    deviation = float(values.std())
    return float(values.mean()), 1 / deviation if deviation else 0.0


def _distribution(scores: Sequence[float]) -> tuple[float, float]:
    """Offset and slope that bring three deviations around the mean to [0, 1].

    Mazzeschi, "Distribution-based score fusion", 2023; what lies beyond is not cut off, as the
    best hits often do.
    """
    mean, slope = _zscore(scores)
    return (mean - 3 / slope, slope / 6) if slope else (mean, 0.0)


_MEASURES: Final = {"minmax": _minmax, "zscore": _zscore, "distribution": _distribution}


def _squash(z: float) -> float:
    """The logistic function: keeps the order, and [0, 1]."""
    return 1 / (1 + math.exp(-z))
