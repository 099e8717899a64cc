"""Choosing a configuration by labelled questions, and how far the choice can be trusted.

By K-fold cross-validation of the choosing itself: in each fold, a configuration is chosen by the
other folds, and scored by the questions of this one. The gain is that of all questions so scored,
over the current configuration; no question had a say in what it was scored with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.evaluation.asking import Asking
from orchestrator.evaluation.candidates import changes
from orchestrator.evaluation.labelled import Labelled
from orchestrator.evaluation.metrics import NDCG, Measuring
from orchestrator.evaluation.replaying import Replay
from orchestrator.evaluation.running import SHOWN, Progress
from orchestrator.evaluation.significance import Difference, Floats, difference


@dataclass(frozen=True, slots=True)
class Tried:
    """nDCG@10, `[configurations, questions]`; and what no configuration found, though relevant."""

    scores: Floats
    unfound: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that was tried: its mean nDCG@10, and in how many folds it was chosen."""

    config: WorkspaceConfig
    mean: float
    folds: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was tried, best first; the gain of choosing; and the choice, which may be to stay."""

    current: Trial
    trials: Sequence[Trial]
    best: Trial
    gain: Difference

    @property
    def chosen(self) -> WorkspaceConfig:
        """The best, if choosing gains anything beyond chance; else the current configuration."""
        return self.best.config if self.gain.gains else self.current.config

    @property
    def stays(self) -> bool:
        """Whether the current configuration is the choice."""
        return self.chosen == self.current.config


async def try_all(
    configs: Sequence[WorkspaceConfig],
    labelled: Labelled,
    replay: Replay,
    asking: Asking,
    told: Progress,
) -> Tried:
    """Ask every question under each configuration, through the service's own code."""
    measuring, scores = Measuring(labelled.judgements, [NDCG]), []
    unfound = {question: set(judged) for question, judged in labelled.judgements.items()}
    for done, config in enumerate(configs, start=1):
        replay.configure(config)
        rankings = {
            question: await _ranking(asking, text, labelled.judgements[question])
            for question, text in labelled.questions.items()
        }
        each = measuring.of_each(rankings)
        scores.append([each[question][NDCG] for question in labelled.questions])
        for question, ranking in rankings.items():
            unfound[question].difference_update(ranking)
        told(done, len(configs))
    return Tried(np.array(scores), sorted(set().union(*unfound.values())))


def weigh(configs: Sequence[WorkspaceConfig], scores: Floats, *, folds: int, seed: int) -> Evidence:
    """What the scores say; the first configuration is the current one.

    Raises:
        Rejected: when there are fewer questions than folds.
    """
    count = scores.shape[1]
    if count < folds:
        raise Rejected(f"{count} questions are too few for {folds} folds")
    parts = np.array_split(np.random.default_rng(seed).permutation(count), folds)
    costs = [_cost(configs[0], config) for config in configs]
    held, picked = np.empty(count), Counter[int]()
    for part in parts:
        pick = _pick(np.delete(scores, part, axis=1), costs)
        held[part] = scores[pick, part]
        picked[pick] += 1
    trials = [
        Trial(config, float(mean), picked[number])
        for number, (config, mean) in enumerate(zip(configs, scores.mean(axis=1), strict=True))
    ]
    return Evidence(
        current=trials[0],
        trials=sorted(trials, key=lambda one: -one.mean),
        best=trials[_pick(scores, costs)],
        gain=difference(scores[0], held, seed=seed),
    )


async def _ranking(asking: Asking, text: str, judged: Mapping[str, int]) -> list[str]:
    """Documents by whichever of their ids was judged."""
    found = (one.chunk for one in await asking.passages(text, SHOWN))
    names = (one.document_id if one.document_id in judged else one.source_id for one in found)
    return list(dict.fromkeys(names))[:SHOWN]


Cost = tuple[bool, int, int]


def _cost(current: WorkspaceConfig, config: WorkspaceConfig) -> Cost:
    """What comes first is simpler: the same reranker, fewer changes, less depth."""
    return (
        config.reranker != current.reranker,
        len(changes(current, config)),
        config.depth,
    )


def _pick(scores: Floats, costs: Sequence[Cost]) -> int:
    """The simplest that is within one standard error of the best, question by question."""
    means = scores.mean(axis=1)
    behind = scores[means.argmax()] - scores
    errors = behind.std(axis=1) / np.sqrt(scores.shape[1])
    near = np.flatnonzero(behind.mean(axis=1) <= errors).tolist()
    return int(min(near, key=lambda one: (costs[one], -means[one])))
