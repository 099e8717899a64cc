"""Steps of citing: what an answer's markers point to."""

from __future__ import annotations

import re

from pytest_bdd import parsers, scenarios, then

from features.world import World

scenarios("citation.feature")

MARKER = re.compile(r"\[(\d+)\]")


def plain(text: str) -> str:
    return " ".join(text.split())


def claims(answer: str) -> list[tuple[str, list[int]]]:
    """Each stretch of the answer with the numbers of the citations that follow it."""
    found: list[tuple[str, list[int]]] = []
    at = 0
    for marker in MARKER.finditer(answer):
        words = plain(answer[at : marker.start()])
        if words:
            found.append((words, []))
        found[-1][1].append(int(marker[1]))
        at = marker.end()
    return found


@then(parsers.parse('the answer cites "{source_id}"'))
def cites(world: World, source_id: str) -> None:
    cited = [one["source_id"] for one in world.answer["sources"] if one["cited"]]
    assert source_id in cited


@then("exactly the sources that the answer cites are marked as cited")
def marked(world: World) -> None:
    numbers = {int(marker) for marker in MARKER.findall(world.answer["answer"])}
    sources = enumerate(world.answer["sources"], start=1)
    assert numbers
    assert numbers == {number for number, source in sources if source["cited"]}


@then("the words before each citation stand in the cited passage")
def quoted(world: World) -> None:
    found = claims(world.answer["answer"])
    assert found
    for words, numbers in found:
        for number in numbers:
            assert words.strip("…") in plain(world.answer["sources"][number - 1]["snippet"])


@then("every source is exactly the span of its document that it names")
def exact(world: World) -> None:
    assert any(source["cited"] for source in world.answer["sources"])
    for source in world.answer["sources"]:
        if source["source_id"].endswith(".txt"):
            document = world.texts[source["source_id"]]
            assert document[source["start"] : source["end"]] == source["snippet"]


@then(parsers.parse('the cited source is in the section "{section}"'))
def in_section(world: World, section: str) -> None:
    assert [one["section"] for one in world.answer["sources"] if one["cited"]] == [section]
