"""Fusion: two rankings of the same chunks become one, with scores in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, pstdev

from orchestrator.domain.passages import Candidate, Hit, StageScore
from orchestrator.domain.workspaces import Fusion

Rankings = Mapping[str, Sequence[Hit]]
"""Hits, best first, by the stage that found them."""


def fuse(rankings: Rankings, fusion: Fusion, *, limit: int) -> list[Candidate]:
    """The best `limit` candidates of all rankings; ties go to the lower chunk id.

    Chunks that a stage did not find count there as its worst hit (`weighted`), or not at all
    (`rrf`).
    """
    weights = {"dense": fusion.dense, "keyword": fusion.keyword}
    stages: dict[int, dict[str, StageScore]] = {}
    for stage, hits in rankings.items():
        for rank, hit in enumerate(hits, start=1):
            stages.setdefault(hit.chunk_id, {})[stage] = StageScore(hit.score, rank)
    combine = _reciprocal_ranks if fusion.method == "rrf" else _weighted
    score = combine(rankings, weights, fusion)
    candidates = [Candidate(chunk_id, score(found), found) for chunk_id, found in stages.items()]
    candidates.sort(key=lambda c: (-c.score, c.chunk_id))
    return candidates[:limit]


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


Score = Callable[[Mapping[str, StageScore]], float]


def _reciprocal_ranks(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> Score:
    """Cormack, Clarke and Büttcher, SIGIR 2009, over the best score there can be."""
    best = sum(weights[stage] for stage in rankings) / (fusion.k + 1) or 1.0

    def score(found: Mapping[str, StageScore]) -> float:
        return sum(weights[stage] / (fusion.k + one.rank) for stage, one in found.items()) / best

    return score


def _weighted(rankings: Rankings, weights: Mapping[str, float], fusion: Fusion) -> Score:
    scale = _minmax if fusion.normalise == "minmax" else _zscore
    scales = {stage: scale([hit.score for hit in hits]) for stage, hits in rankings.items() if hits}
    total = sum(weights[stage] for stage in scales) or 1.0
    worst = {stage: scales[stage](rankings[stage][-1].score) for stage in scales}

    def score(found: Mapping[str, StageScore]) -> float:
        mean = sum(
            weights[stage] * (scales[stage](found[stage].score) if stage in found else worst[stage])
            for stage in scales
        )
        return _squash(mean / total) if fusion.normalise == "zscore" else mean / total

    return score


def _minmax(scores: Sequence[float]) -> Callable[[float], float]:
    low, span = min(scores), max(scores) - min(scores)
    return lambda score: (score - low) / span if span else 1.0


def _zscore(scores: Sequence[float]) -> Callable[[float], float]:
    mean, deviation = fmean(scores), pstdev(scores)
    return lambda score: (score - mean) / deviation if deviation else 0.0


def _squash(z: float) -> float:
    """The logistic function: keeps the order, and [0, 1]."""
    return 1 / (1 + math.exp(-z))
