"""Choosing a configuration: the grid, the rule, and what the folds say of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import Fusion, WorkspaceConfig
from orchestrator.evaluation.candidates import candidates, changes
from orchestrator.evaluation.labelled import load_labelled
from orchestrator.evaluation.tuning import weigh
from tests.unit.evaluation.collections import write

CURRENT = WorkspaceConfig()
DEEPER = replace(CURRENT, depth=200)
OTHER = replace(CURRENT, fusion=Fusion("rrf"), depth=50)
RERANKED = replace(CURRENT, reranker="closer")
QUESTIONS = 40


def scores(*means, spread=0.0):
    """A row for each configuration: the same questions are hard for all of them."""
    hard = np.random.default_rng(0).uniform(-0.1, 0.1, QUESTIONS)
    noise = np.random.default_rng(1).normal(0.0, spread, (len(means), QUESTIONS))
    return np.array(means)[:, None] + hard + noise


def weighed(configs, values):
    return weigh(configs, values, folds=5, seed=0)


def test_the_better_configuration_is_chosen_in_every_fold():
    found = weighed([CURRENT, OTHER], scores(0.5, 0.7))

    assert (found.chosen, found.stays) == (OTHER, False)
    assert [one.folds for one in found.trials] == [5, 0]
    assert found.gain.mean == pytest.approx(0.2)
    assert [one.config for one in found.trials] == [OTHER, CURRENT]


def test_the_current_configuration_stays_where_nothing_is_better():
    found = weighed([CURRENT, OTHER], scores(0.7, 0.5))

    assert found.stays
    assert found.best.config == CURRENT


def test_the_current_configuration_stays_where_the_gain_may_be_chance():
    values = scores(0.5, 0.5)
    values[1, :2] += 0.3  # two questions of forty are better, none is worse

    found = weighed([CURRENT, OTHER], values)

    assert (found.best.config, found.chosen) == (OTHER, CURRENT)
    assert not found.gain.gains


def test_of_what_is_within_one_standard_error_the_simplest_is_chosen():
    found = weighed([CURRENT, OTHER, DEEPER, RERANKED], scores(0.3, 0.6, 0.6, 0.601, spread=0.05))

    assert found.chosen == DEEPER  # one change, and no reranker


def test_the_gain_is_that_of_questions_that_took_no_part():
    # each configuration is perfect in one question, and that cannot be known from the others
    values = np.eye(QUESTIONS)
    values[0] = 0.5
    configs = [replace(CURRENT, depth=depth) for depth in range(100, 100 + QUESTIONS)]

    found = weighed(configs, values)

    assert found.gain.mean <= 0.0
    assert found.stays


def test_another_seed_makes_other_folds():
    values = scores(0.5, 0.7, 0.7, spread=0.2)

    one, again, other = (
        weigh([CURRENT, OTHER, DEEPER], values, folds=5, seed=seed).gain for seed in (0, 0, 1)
    )

    assert one == again
    assert one != other


def test_fewer_questions_than_folds_are_refused():
    with pytest.raises(Rejected, match="3 questions are too few for 5 folds"):
        weighed([CURRENT], np.zeros((1, 3)))


def test_the_grid_begins_with_the_current_configuration_and_has_each_once():
    grid = candidates(DEEPER, ["default", "closer"])

    assert grid[0] == DEEPER
    assert all(grid.count(one) == 1 for one in grid)
    assert {one.reranker for one in grid} == {"default", "closer"}
    assert {one.fusion.method for one in grid} == {"rrf", "weighted"}
    assert {one.depth for one in grid} >= {50, 100, 200}
    assert all(one.shares_chunks_with(DEEPER) for one in grid)


def test_changes_are_named_by_their_place():
    assert changes(CURRENT, OTHER) == {"fusion.method": "rrf", "depth": 50}
    assert changes(CURRENT, CURRENT) == {}


def labels(path, *entries):
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return path


def test_questions_are_labelled_with_documents_or_their_grades(tmp_path):
    found = load_labelled(
        labels(
            tmp_path / "q.jsonl",
            {"question": "When?", "relevant": ["a", 7]},
            {"question": "Where?", "relevant": {"a": 2, "b": 0}},
            {"question": "Nowhere?", "relevant": []},
        )
    )

    assert found.questions == {"1": "When?", "2": "Where?"}
    assert found.judgements == {"1": {"a": 1, "7": 1}, "2": {"a": 2}}
    assert found.left_out == 1


def test_a_folder_in_beir_form_is_labelled_questions_too(tmp_path):
    found = load_labelled(write(tmp_path / "tiny"))

    assert found.judgements == {"q1": {"refunds": 1}, "q2": {"travel": 2}}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"question": "When?"}, "line 1, lacks one of question, relevant"),
        ({"question": "When?", "relevant": "a"}, "question 1: 'relevant' is a list"),
        ({"question": "When?", "relevant": {"a": "high"}}, "question 1: 'relevant' is a list"),
        ({"question": " ", "relevant": ["a"]}, "the question is empty"),
        ({"question": "When?", "relevant": []}, "holds no question that a document answers"),
    ],
)
def test_what_is_no_labelled_question_is_told(tmp_path, entry, sentence):
    with pytest.raises(Rejected, match=sentence):
        load_labelled(labels(tmp_path / "q.jsonl", entry))
