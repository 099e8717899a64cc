"""Questions, scopes, documents and configurations: values, and what they refuse to be."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.answers import Query
from orchestrator.domain.documents import Piece, Receipt, text_hash
from orchestrator.domain.errors import Rejected
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS, EVERYONE, Principal, Scope
from orchestrator.domain.workspaces import (
    Chunking,
    Fusion,
    Grounding,
    Prompting,
    WorkspaceConfig,
    workspace_name,
)


@pytest.mark.parametrize(
    ("raw", "understood"),
    [
        ("  How fast \t\n are refunds  paid? ", "How fast are refunds paid?"),
        ("ﬁle № ５", "file No 5"),
        ("cafe\u0301", "café"),
        ("a\u00a0b\u2003c", "a b c"),
        ("", ""),
    ],
)
def test_a_question_is_normalised_before_it_is_asked(raw, understood):
    assert Query(raw).understood().text == understood


@given(st.text(max_size=40))
def test_a_question_that_is_understood_stays_as_it_is(text):
    once = Query(text).understood()

    assert once.understood() == once


def test_understanding_and_pinning_change_nothing_else():
    scope = Scope("legal", Principal("ada", frozenset({"board"})), Condition("a", "eq", 1))

    pinned = Query(" a ", scope, 7).understood().at(42)

    assert pinned == Query("a", replace(scope, revision=42), 7)


def test_values_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Query("a").text = "b"


def test_a_caller_is_at_least_one_of_everyone():
    assert ANONYMOUS.groups == {EVERYONE}
    assert Scope("default").principal is ANONYMOUS


@pytest.mark.parametrize(
    ("stores", "complete"),
    [
        ({}, True),
        ({"catalog": "purged", "cache": "purged"}, True),
        ({"catalog": "purged", "cache": "pending: redis is down"}, False),
    ],
)
def test_a_receipt_is_complete_when_every_store_is_purged(stores, complete):
    assert Receipt("d1", 7, datetime.now(UTC), stores).complete is complete


@pytest.mark.parametrize(
    ("title", "section", "embedded"),
    [
        ("Refunds", "Delays", "Refunds\nDelays\nPaid late."),
        ("Refunds", None, "Refunds\nPaid late."),
        ("", None, "Paid late."),
    ],
)
def test_a_piece_is_embedded_with_its_title_and_section(title, section, embedded):
    assert Piece("Paid late.", 0, 10, section).embedded(title) == embedded


def test_a_texts_hash_is_the_first_half_of_its_sha256():
    assert text_hash("abc").hex() == "ba7816bf8f01cfea414140de5dae2223"


@pytest.mark.parametrize("name", ["a", "0", "legal", "team-7_x", "a_b", "a" * 64])
def test_a_workspaces_name_is_taken_as_it_is(name):
    assert workspace_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "-a", "a-", "_a", "a_", "a" * 65, "a/b", "..", "ä", "a\n", "٣"],
)
def test_what_is_no_workspace_name_is_refused(name):
    with pytest.raises(Rejected, match="is not a name") as caught:
        workspace_name(name)

    assert (caught.value.code, caught.value.field) == ("invalid_workspace", "workspace")


def test_a_refused_name_is_not_repeated_at_full_length():
    with pytest.raises(Rejected) as caught:
        workspace_name("x" * 10_000)

    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    "values",
    [{"dense": -0.1}, {"keyword": -1}, {"dense": 0, "keyword": 0}, {"k": 0}],
)
def test_a_fusion_that_cannot_rank_is_refused(values):
    with pytest.raises(ValueError, match="weights must not be negative nor all zero"):
        Fusion(**values)


@pytest.mark.parametrize("values", [{"dense": 0}, {"keyword": 0}, {"k": 1}, {"dense": 9}])
def test_a_fusion_may_leave_one_side_without_weight(values):
    assert Fusion(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"tokens": 15},
        {"tokens": 8193},
        {"overlap": -1},
        {"overlap": 128},
        {"tokens": 16, "overlap": 8},
    ],
)
def test_a_chunking_that_cannot_advance_is_refused(values):
    with pytest.raises(ValueError, match="16 to 8192 tokens"):
        Chunking(**values)


@pytest.mark.parametrize("values", [{"tokens": 16}, {"tokens": 8192}, {"overlap": 127}])
def test_a_chunking_at_its_limits_is_taken(values):
    assert Chunking(**values)


@pytest.mark.parametrize("values", [{"depth": 0}, {"depth": 1001}, {"generation": 0}])
def test_a_configuration_out_of_its_limits_is_refused(values):
    with pytest.raises(ValueError, match="depth is 1 to 1000"):
        WorkspaceConfig(**values)


@pytest.mark.parametrize(
    ("change", "shares"),
    [
        ({"generator": "cheap"}, True),
        ({"fusion": Fusion(method="rrf")}, True),
        ({"vectors": "other"}, True),
        ({"embedder": "other"}, False),
        ({"chunking": Chunking(tokens=64)}, False),
        ({"chunking": Chunking(strategy="semantic")}, False),
    ],
)
def test_chunks_serve_another_configuration_of_the_same_embedder_and_chunking(change, shares):
    config = WorkspaceConfig()

    assert config.shares_chunks_with(replace(config, **change)) is shares


@pytest.mark.parametrize("generation", [0, -1, 1_000_001, 2**63])
def test_a_generation_is_one_that_can_be_counted_on_from(generation):
    with pytest.raises(ValueError, match="generation 1 to 1,000,000"):
        WorkspaceConfig(generation=generation)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"split": ((1, 0),)}, "a weight above 0"),
        ({"split": ((1, float("nan")),)}, "a weight above 0"),
        ({"split": tuple((number, 1) for number in range(11))}, "at most 10 versions"),
        ({"context": -1}, "context is not negative"),
    ],
)
def test_a_prompting_that_cannot_be_is_refused(values, why):
    with pytest.raises(ValueError, match=why):
        Prompting(**values)


@pytest.mark.parametrize(
    "how",
    [
        {"threshold": 0},
        {"threshold": 1.1},
        {"weak": 0},
        {"weak": 1},
        {"models": ("judge",)},
        {"models": ("judge",), "verifier": "embedding"},
    ],
)
def test_grounding_that_cannot_be_is_refused(how):
    with pytest.raises(ValueError, match=r"threshold|weak|models"):
        Grounding(**how)
