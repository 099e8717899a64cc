"""Steps of the report on what was searched for."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import Deploy, World, wait_for
from orchestrator.telemetry import recorder

scenarios("search_report.feature")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "EVERY_S", 0.2)


def report(world: World) -> dict[str, Any]:
    return world.service.http.get(f"/v1/workspaces/{world.workspace}/search-report?days=1").json()


@given("a deployment that keeps questions, with tantivy")
def keeping(world: World, deploy: Deploy) -> None:
    world.service = deploy({"RAG_ANALYTICS__QUESTIONS": "true", "RAG_KEYWORDS__KIND": "tantivy"})


@when("the workspace is deleted and made anew under its name")
def anew(world: World) -> None:
    world.request("DELETE", f"/v1/workspaces/{world.workspace}")
    assert world.response.status_code == 204, world.response.text
    world.create(world.workspace)


@when(
    parsers.re(
        r"the report comes to (?P<searches>\d+) search(?:es)?: (?P<found>\d+) found, "
        r"(?P<weak>\d+) weak and (?P<none>\d+) none"
    )
)
@then(
    parsers.re(
        r"the report comes to (?P<searches>\d+) search(?:es)?: (?P<found>\d+) found, "
        r"(?P<weak>\d+) weak and (?P<none>\d+) none"
    )
)
def comes_to(world: World, searches: str, found: str, weak: str, none: str) -> None:
    told = wait_for(
        lambda: (one := report(world))["searches"] >= int(searches) and one,
        "the searches were not counted",
    )
    outcomes = {"found": int(found), "weak": int(weak), "none": int(none)}
    assert (told["searches"], told["outcomes"]) == (int(searches), outcomes)


@then(parsers.parse('the report has the latencies of "{one}" and "{other}"'))
def latencies(world: World, one: str, other: str) -> None:
    stages = report(world)["stages"]
    assert {one, other} <= stages.keys()
    assert all(0 < stage["p50_ms"] <= stage["p95_ms"] for stage in stages.values())


@then("the metrics count searches by outcome")
def metrics(world: World) -> None:
    text = world.service.http.get("/metrics").text
    assert 'rag_searches_total{outcome="found"}' in text
    assert 'rag_searches_total{outcome="none"}' in text


@then("the report holds no text and says that none are recorded")
def no_texts(world: World) -> None:
    told = report(world)
    assert (told["none"], told["weak"], told["corrections"]) == ([], [], [])
    assert told["questions_recorded"] is False
    assert "xylophone" not in str(told)


@then("the report says that all of them were corrected")
def all_corrected(world: World) -> None:
    assert report(world)["corrected"] == 1.0


@then(parsers.parse('the report tells that "{text}" found nothing {times:d} times'))
def told(world: World, text: str, times: int) -> None:
    assert {"text": text, "count": times} in report(world)["none"]


@then(parsers.parse('the report does not hold "{text}"'))
def not_told(world: World, text: str) -> None:
    assert text not in str(report(world))
