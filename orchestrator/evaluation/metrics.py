"""Retrieval metrics over graded judgements, averaged over questions.

The definitions are those of trec_eval: nDCG with linear gains (Järvelin and Kekäläinen, TOIS 2002),
recall of relevant documents, and the reciprocal rank of the first of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

Judgements = Mapping[str, int]
"""Relevance by document id; positive is relevant."""


def ndcg(ranking: Sequence[str], judged: Judgements, k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, in [0, 1]."""
    ideal = sorted((grade for grade in judged.values() if grade > 0), reverse=True)
    best = _dcg(ideal[:k])
    gained = _dcg([max(judged.get(document, 0), 0) for document in ranking[:k]])
    return gained / best if best else 0.0


def recall(ranking: Sequence[str], judged: Judgements, k: int) -> float:
    """The share of relevant documents among the first `k`."""
    relevant = {document for document, grade in judged.items() if grade > 0}
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], judged: Judgements, k: int) -> float:
    """One over the rank of the first relevant document among the first `k`; 0 without any."""
    for rank, document in enumerate(ranking[:k], start=1):
        if judged.get(document, 0) > 0:
            return 1 / rank
    return 0.0


def summary(
    rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Judgements]
) -> dict[str, float]:
    """The means over every judged question; one without a ranking counts as 0."""
    pairs = [(rankings.get(question, ()), judged) for question, judged in judgements.items()]
    if not pairs:
        return {}
    return {
        "ndcg@10": fmean(ndcg(ranking, judged, 10) for ranking, judged in pairs),
        "recall@10": fmean(recall(ranking, judged, 10) for ranking, judged in pairs),
        "recall@100": fmean(recall(ranking, judged, 100) for ranking, judged in pairs),
        "mrr@10": fmean(reciprocal_rank(ranking, judged, 10) for ranking, judged in pairs),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))
