"""Steps of abstaining."""

from __future__ import annotations

from typing import Any

from pytest_bdd import scenarios, then

scenarios("abstention.feature")


@then("no source is cited")
def none_cited(world: Any) -> None:
    assert not [source for source in world.answer["sources"] if source["cited"]]
    assert "[" not in world.answer["answer"]
