"""The tree of errors: stable codes, sentences, and what a caller is told to do."""

from __future__ import annotations

import inspect
import re

import pytest

from orchestrator.domain import errors
from orchestrator.http.problems import STATUS

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, errors.RagError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_status(kind):
    assert 400 <= STATUS[kind] < 600


def test_the_table_of_statuses_holds_nothing_else():
    assert set(STATUS) == set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_code_of_its_own(kind):
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert [one for one in CLASSES if one.code == kind.code] == [kind]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_drawn_in_the_modules_tree(kind):
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__)


def test_only_errors_that_pass_are_server_errors_to_try_again():
    assert STATUS[errors.Unavailable] == 503
    assert STATUS[errors.TimedOut] == 504
    assert STATUS[errors.Exhausted] == 429


def test_an_error_is_its_sentence():
    error = errors.Conflict("the name is taken")

    assert (str(error), error.detail, error.code) == (
        "the name is taken",
        "the name is taken",
        "conflict",
    )
    assert (error.field, error.retry_after) == (None, None)


def test_a_place_may_give_a_finer_code_and_name_the_field():
    error = errors.Rejected("no", code="invalid_name", field="name")

    assert (error.code, error.field) == ("invalid_name", "name")


def test_unavailable_names_the_dependency_and_when_to_try_again():
    error = errors.Unavailable("redis", "connection refused", retry_after=3)

    assert error.detail == "redis is unavailable: connection refused"
    assert (error.dependency, error.retry_after, error.told) == ("redis", 3, True)


def test_unavailable_that_was_told_nothing_says_soon():
    error = errors.Unavailable("redis", "connection refused")

    assert (error.retry_after, error.told) == (1.0, False)
