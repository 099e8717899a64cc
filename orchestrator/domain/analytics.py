"""What is counted of searches, by day, and the report that the counts make."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

from orchestrator.domain.answers import Usage
from orchestrator.domain.passages import Passage

Outcome: TypeAlias = Literal["found", "weak", "none"]
Kind: TypeAlias = Literal["outcome", "note", "stage", "usage", "weak", "none", "misread"]
TEXTS: Final = ("weak", "none", "misread")
"""The kinds whose names hold words of questions."""
LONGEST: Final = 500
"""Characters of a question that are kept."""
STEP: Final = 1.25
LEAST_MS: Final = 0.1
"""A latency is counted in steps from 0.1 ms, each 1.25 times the one before it."""
COST_STEP: Final = 1e-5
"""Costs are counted in hundred-thousandths."""


class Counted(NamedTuple):
    """What was counted: of a workspace, by its uid, on a day."""

    workspace: str
    day: date
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be kept of searches, and when one is weak.

    With `questions`, up to `max_questions` texts of each kind, a day and workspace, are kept.
    """

    questions: bool = False
    max_questions: int = 1_000
    retention_days: int = 30
    weak_cosine: float = 0.3


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds in one stage, within 12 %, over so many requests."""

    p50_ms: float
    p95_ms: float
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was searched for, and how it went; the texts are empty where none are recorded."""

    searches: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    degraded: float = 0.0
    cached: float = 0.0
    corrected: float = 0.0
    stages: Mapping[str, Percentiles] = field(default_factory=dict)
    usage: Sequence[Usage] = ()
    none: Sequence[tuple[str, int]] = ()
    weak: Sequence[tuple[str, int]] = ()
    corrections: Sequence[tuple[str, int]] = ()


def outcome_of(passages: Sequence[Passage], *, fused: bool, weak_cosine: float) -> Outcome:
    """`none` without passages; `weak` where the first is far in meaning.

    It is far where meaning was asked and its cosine is below `weak_cosine`, or meaning did not
    find it; but not where two rankings were `fused` and it is the first of both.
    """
    if not passages:
        return "none"
    stages = passages[0].stages
    dense, words = stages.get("dense"), stages.get("keyword")
    asked = dense or (fused and words)
    far = dense is None or dense.score < weak_cosine
    agreed = dense and words and dense.rank == words.rank == 1
    return "weak" if asked and far and not agreed else "found"


def step_of(milliseconds: float) -> int:
    """The step that a latency is counted in."""
    return math.ceil(math.log(max(milliseconds, LEAST_MS) / LEAST_MS, STEP))


def spent(usage: Usage) -> Mapping[str, int]:
    """What is counted of a usage; nothing where no model is named."""
    if not usage.model:
        return {}
    counts = {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens}
    if usage.cost is not None:
        counts["cost"] = round(usage.cost / COST_STEP)
    return {f"{what}:{usage.model}": count for what, count in counts.items()}


def report_of(counts: Iterable[tuple[Kind, str, int]], *, most: int) -> Report:
    """The report of some days' counts, with the `most` frequent texts of each kind."""
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, name, count in counts:
        by_kind[kind][name] += count
    outcomes, notes = by_kind["outcome"], by_kind["note"]
    searches = outcomes.total()
    stages: dict[str, Counter[int]] = defaultdict(Counter)
    for name, count in by_kind["stage"].items():
        stage, _, step = name.rpartition(":")
        stages[stage][int(step)] += count
    return Report(
        searches=searches,
        outcomes={one: outcomes[one] for one in ("found", "weak", "none")},
        degraded=_share(notes["degraded"], searches),
        cached=_share(notes["cached"], searches),
        corrected=_share(notes["corrected"], searches),
        stages={
            stage: Percentiles(_quantile(steps, 0.5), _quantile(steps, 0.95), steps.total())
            for stage, steps in sorted(stages.items())
        },
        usage=_usage(by_kind["usage"]),
        none=by_kind["none"].most_common(most),
        weak=by_kind["weak"].most_common(most),
        corrections=by_kind["misread"].most_common(most),
    )


def _usage(counts: Counter[str]) -> Sequence[Usage]:
    def of(model: str) -> Usage:
        cost = counts.get(f"cost:{model}")
        return Usage(
            prompt_tokens=counts[f"prompt:{model}"],
            completion_tokens=counts[f"completion:{model}"],
            model=model,
            cost=None if cost is None else round(cost * COST_STEP, 5),
        )

    return [of(model) for model in sorted({name.partition(":")[2] for name in counts})]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _quantile(steps: Counter[int], share: float) -> float:
    """The middle, by ratio, of the step that holds the quantile."""
    left = share * steps.total()
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            break
    return float(f"{LEAST_MS * STEP ** (step - 0.5):.3g}")
