"""The description of search settings, and of what an answer says of itself, in the API."""

import pytest

from orchestrator.settings.changing import SEARCH


@pytest.mark.parametrize("model", ["SearchPatch", "SearchChange", "SearchSettings"])
async def test_every_search_setting_is_described(service, model):
    described = (await service.http.get("/openapi.json")).json()["components"]["schemas"]

    fields = {
        name: described[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        for name, field in described[model]["properties"].items()
        if name in SEARCH
    }
    assert set(fields) == set(SEARCH)
    assert all(field["description"] for field in fields.values())
    assert "reciprocal rank fusion's constant" in fields["fusion"]["description"]


async def test_a_patch_is_described_down_to_its_leaves(service):
    described = (await service.http.get("/openapi.json")).json()["components"]["schemas"]

    fusion = described["SearchPatch"]["properties"]["fusion"]
    assert {"rrf", "weighted"} == set(fusion["properties"]["method"]["enum"])
    assert fusion["additionalProperties"] is False


async def test_what_an_answer_says_of_itself_is_described(service):
    described = (await service.http.get("/openapi.json")).json()["components"]["schemas"]

    assert {"grounding", "confidence"} <= set(described["Meta"]["properties"])
    assert set(described["Grounded"]["properties"]) == {
        "policy", "verifier", "threshold", "score", "sentences", "withheld",
    }  # fmt: skip
    assert set(described["Sentence"]["properties"]) == {
        "start", "end", "cites", "score", "supported",
    }  # fmt: skip
    assert described["Grounded"]["description"]
    assert {"flag", "remove", "refuse"} == set(
        described["Grounding"]["properties"]["policy"]["enum"]
    )
