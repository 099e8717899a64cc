"""Retrieval metrics over graded judgements, by ir_measures, which has them from trec_eval.

nDCG with linear gains (Järvelin and Kekäläinen, TOIS 2002), recall of relevant documents, the
reciprocal rank of the first of them, and average precision over the whole ranking handed in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Final

import ir_measures

Judgements = Mapping[str, int]
"""Relevance by document id; positive is relevant."""
Figures = dict[str, float]
"""The value of each metric, by its name."""

NDCG: Final = "ndcg@10"
MEASURES: Final = {
    NDCG: ir_measures.nDCG @ 10,
    "recall@10": ir_measures.R @ 10,
    "recall@100": ir_measures.R @ 100,
    "mrr@10": ir_measures.RR @ 10,
    "map": ir_measures.AP,
}


class Measuring:
    """Measures rankings of the same judged questions, as often as wanted."""

    def __init__(
        self, judgements: Mapping[str, Judgements], names: Sequence[str] = tuple(MEASURES)
    ) -> None:
        self._judgements = judgements
        self._names = {MEASURES[name]: name for name in names}
        self._evaluator = ir_measures.evaluator(
            list(self._names), {question: dict(found) for question, found in judgements.items()}
        )

    def of_each(self, rankings: Mapping[str, Sequence[str]]) -> dict[str, Figures]:
        """Every judged question's figures; one without a ranking has 0 in all."""
        run = {
            question: {document: -float(place) for place, document in enumerate(ranking)}
            for question, ranking in rankings.items()
        }
        figures = {q: dict.fromkeys(self._names.values(), 0.0) for q in self._judgements}
        for one in self._evaluator.iter_calc(run):
            figures[one.query_id][self._names[one.measure]] = one.value
        return figures


def means(figures: Iterable[Figures]) -> Figures:
    """The mean of each metric over all questions."""
    all_of_them = list(figures)
    names = all_of_them[0] if all_of_them else ()
    return {name: fmean(one[name] for one in all_of_them) for name in names}


def latencies(values: Sequence[float]) -> Figures:
    """The percentiles of times in milliseconds."""
    shares = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99}
    return {name: percentile(values, share) for name, share in shares.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
