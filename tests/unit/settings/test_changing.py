"""Search settings: what a patch changes, and what it may not."""

import pytest

from orchestrator.domain.analytics import Policy
from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import Chunking, Fusion, Reranking, WorkspaceConfig
from orchestrator.settings.changing import SEARCH, changed, search_settings
from orchestrator.settings.tree import AnalyticsSettings

TUNED = WorkspaceConfig(
    embedder="large",
    chunking=Chunking(tokens=64),
    fusion=Fusion(method="rrf", dense=0.7),
    reranking=Reranking(skip_margin=0.5),
    depth=50,
    generation=3,
)


def test_what_is_left_out_stays_however_deep():
    found = changed(TUNED, {"fusion": {"keyword": 0.2}, "understanding": {"spelling": True}})

    assert found.fusion == Fusion(method="rrf", dense=0.7, keyword=0.2)
    assert found.understanding.spelling is True
    assert (found.embedder, found.chunking, found.depth, found.generation) == (
        TUNED.embedder,
        TUNED.chunking,
        50,
        3,
    )


def test_null_is_the_default():
    found = changed(TUNED, {"depth": None, "fusion": {"dense": None}, "reranking": None})

    assert found.depth == 100
    assert found.fusion == Fusion(method="rrf")
    assert found.reranking == Reranking()


def test_a_list_takes_the_place_of_a_list():
    first = changed(TUNED, {"understanding": {"synonyms": [["PTO", "leave"], ["VPN", "tunnel"]]}})
    second = changed(first, {"understanding": {"synonyms": [["HR", "people"]]}})

    assert second.understanding.synonyms == (("HR", "people"),)


@pytest.mark.parametrize(
    ("patch", "field", "code"),
    [
        ({"embedder": "other"}, "embedder", "unknown_field"),
        ({"chunking": {"tokens": 32}}, "chunking", "unknown_field"),
        ({"generation": 4}, "generation", "unknown_field"),
        ({"fusion": {"colour": 1}}, "fusion.colour", "unknown_field"),
        ({"fusion": {"method": "guessing"}}, "fusion.method", "invalid_request"),
        ({"fusion": {"dense": 0, "keyword": 0}}, "fusion", "invalid_request"),
        ({"fusion": "rrf"}, "fusion", "invalid_request"),
        ({"depth": "deep"}, "depth", "invalid_request"),
        ({"depth": 0}, None, "invalid_request"),
    ],
)
def test_what_cannot_be_is_refused_naming_the_field(patch, field, code):
    with pytest.raises(Rejected) as raised:
        changed(TUNED, patch)

    assert (raised.value.field, raised.value.code) == (field, code)


def test_a_name_that_is_nearly_right_is_suggested():
    with pytest.raises(Rejected, match="did you mean 'fusion'"):
        changed(TUNED, {"fushion": {}})


def test_search_settings_are_a_part_of_the_configuration():
    assert set(search_settings(TUNED)) == set(SEARCH)
    assert changed(WorkspaceConfig(), {"depth": 50}) == WorkspaceConfig(depth=50)


def test_the_settings_of_analytics_are_a_policy_with_the_same_defaults():
    assert Policy(**AnalyticsSettings().model_dump()) == Policy()
