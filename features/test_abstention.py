"""Steps of abstaining."""

from __future__ import annotations

from pytest_bdd import scenarios, then

from features.world import World

scenarios("abstention.feature")


@then("no source is cited")
def none_cited(world: World) -> None:
    assert not [source for source in world.answer["sources"] if source["cited"]]
    assert "[" not in world.answer["answer"]
