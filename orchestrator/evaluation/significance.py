"""Whether two runs over the same questions differ by more than chance.

The interval is that of the paired percentile bootstrap, the p value that of the paired
randomisation test: Smucker, Allan and Carterette, CIKM 2007, compare both for retrieval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.results import LATENCY, Results

ROUNDS: Final = 10_000
LEVEL: Final = 0.05
EXACT: Final = 13
"""Of so few questions, every change of signs is tried; of more, as many as there are rounds."""
_AT_ONCE: Final = 2_000_000
_TIE: Final = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """`b` less `a` over the same questions: its mean, the 95 % interval of that, and p.

    `wins` counts the questions for which `b` is better, `losses` those for which `a` is.
    """

    a: float
    b: float
    mean: float
    low: float
    high: float
    p: float
    wins: int
    ties: int
    losses: int

    @property
    def gains(self) -> bool:
        """Whether `b` is higher beyond chance, by the interval and by p."""
        return self.low > 0 and self.p < LEVEL


def compared(a: Results, b: Results) -> dict[str, Difference]:
    """The difference of every metric that both runs have.

    Raises:
        Rejected: when they are not of the same questions, or share no metric.
    """
    if a.keys() != b.keys():
        strays = sorted(a.keys() ^ b.keys())
        raise Rejected(
            f"the two are not of the same questions: {len(strays)} are only in one of them, "
            f"such as '{strays[0]}'"
        )
    each = [*a.values(), *b.values()]
    names = [name for name in each[0].figures if all(name in one.figures for one in each)]
    if not names:
        raise Rejected("the two have no metric in common")
    return {
        name: difference(
            [one.figures[name] for one in a.values()],
            [b[question].figures[name] for question in a],
            less_is_better=name == LATENCY,
        )
        for name in names
    }


def difference(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    *,
    seed: int = 0,
    less_is_better: bool = False,
) -> Difference:
    """How two runs differ, whose values are of the same questions in the same order."""
    values = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    low, high = np.percentile(_resampled(values, seed), [100 * LEVEL / 2, 100 - 100 * LEVEL / 2])
    higher, lower = int((values > _TIE).sum()), int((values < -_TIE).sum())
    wins, losses = (lower, higher) if less_is_better else (higher, lower)
    return Difference(
        a=float(np.mean(a)),
        b=float(np.mean(b)),
        mean=float(values.mean()),
        low=float(low),
        high=float(high),
        p=_by_chance(values, seed),
        wins=wins,
        ties=len(values) - higher - lower,
        losses=losses,
    )


def _resampled(values: Floats, seed: int) -> Floats:
    """The means of as many samples, with replacement, as there are rounds."""
    chance, count = np.random.default_rng(seed), len(values)
    means = [
        values[chance.integers(0, count, (rounds, count))].mean(axis=1)
        for rounds in _portions(count)
    ]
    return np.concatenate(means)


def _by_chance(values: Floats, seed: int) -> float:
    """How often the mean would be as far from 0 if each sign were chance: two-sided p."""
    count, least = len(values), abs(values.mean()) - _TIE
    if count <= EXACT:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float((np.abs(signs @ values / count) >= least).mean())
    chance, as_far = np.random.default_rng(seed), 0
    for rounds in _portions(count):
        signs = 1 - 2 * chance.integers(0, 2, (rounds, count), dtype=np.int8)
        as_far += int((np.abs(signs @ values / count) >= least).sum())
    return (as_far + 1) / (ROUNDS + 1)


def _portions(count: int) -> Sequence[int]:
    """The rounds, in portions that fit in memory."""
    at_once = max(1, _AT_ONCE // count)
    return [min(at_once, ROUNDS - done) for done in range(0, ROUNDS, at_once)]


def as_json(one: Difference) -> dict[str, float]:
    """Its figures, rounded."""
    return {name: round(value, 6) for name, value in asdict(one).items()}
