"""Steps of grounding: what an answer says of its sentences."""

from __future__ import annotations

import re

from pytest_bdd import parsers, scenarios, then

from features.world import World

scenarios("generation_grounding.feature")

MARKER = re.compile(r"\[(\d+)\]")


@then(parsers.parse('its grounding is {score:g}, by the policy "{policy}"'))
def grounded(world: World, score: float, policy: str) -> None:
    grounding = world.answer["meta"]["grounding"]
    assert (grounding["score"], grounding["policy"], grounding["withheld"]) == (score, policy, 0)


@then("every sentence of it is supported by what it cites")
def supported(world: World) -> None:
    answer, sentences = world.answer["answer"], world.answer["meta"]["grounding"]["sentences"]
    assert sentences
    for one in sentences:
        text = answer[one["start"] : one["end"]]
        assert one["cites"] == [int(number) for number in MARKER.findall(text)]
        assert (one["score"], one["supported"]) == (1, True)
        for number in one["cites"]:
            snippet = world.answer["sources"][number - 1]["snippet"]
            assert MARKER.sub("", text).strip() in snippet


@then("the answer is the same as before")
def same(world: World) -> None:
    assert world.answer["answer"] == world.before["answer"]
    assert world.answer["answerable"] is True
    assert world.answer["meta"]["cache_hit"] is False


@then("it claims nothing")
def claims_nothing(world: World) -> None:
    grounding = world.answer["meta"]["grounding"]
    assert grounding["score"] is None
    assert [one["score"] for one in grounding["sentences"]] == [None]
    assert world.answer["meta"]["confidence"] is None


@then("the generator was not asked")
def not_asked(world: World) -> None:
    assert world.answer["meta"]["skipped"] == ["generator"]
    assert "generate" not in world.answer["meta"]["timings_ms"]
