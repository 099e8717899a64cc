"""Steps of finding what was meant."""

from __future__ import annotations

from pytest_bdd import given, parsers, scenarios, then, when

from features.world import World

scenarios("retrieval.feature")

TOPICS = {
    "hotels": "Hotels are reimbursed up to 140 EUR a night.",
    "parking": "Parking is free for visitors on Sundays.",
    "lunch": "Lunch is served at noon in the canteen.",
}


@given(parsers.parse('a document "{source_id}" that only the board sees, saying "{text}"'))
def secret(world: World, source_id: str, text: str) -> None:
    world.upload(source_id, text, acl="board")


@given(parsers.parse('a document "{source_id}" of sections about hotels, parking and lunch'))
def handbook(world: World, source_id: str) -> None:
    text = "\n\n".join(" ".join([sentence] * 18) for sentence in TOPICS.values())
    world.upload(source_id, text)


@when(parsers.parse('I search by keywords for "{query}"'))
def search_words(world: World, query: str) -> None:
    world.search(query, mode="keyword")
    assert world.response.status_code == 200, world.response.text


@then(parsers.parse('the question was understood as a {kind}: "{why}"'))
def understood(world: World, kind: str, why: str) -> None:
    told = world.response.json()["meta"]["query"]
    assert (told["kind"], told["why"]) == (kind, why)


@then(parsers.parse("the answer's question was understood as a {kind}"))
def answer_understood(world: World, kind: str) -> None:
    assert world.answer["meta"]["query"]["kind"] == kind


@then("there are no hits")
def no_hits(world: World) -> None:
    assert world.response.json()["hits"] == []


@then(parsers.parse('"{word}" was read as "{read_as}"'))
def was_corrected(world: World, word: str, read_as: str) -> None:
    told = world.response.json()["meta"]["query"]
    assert told["corrections"] == [{"word": word, "read_as": read_as}]
    assert told["text_searched"] == read_as


@then("nothing was corrected")
def not_corrected(world: World) -> None:
    assert world.response.json()["meta"]["query"]["corrections"] == []
    assert "xylograph" not in world.response.text.lower()


@then(parsers.parse("the hits in order are about {first}, {second} and {third}"))
def hits_in_order(world: World, first: str, second: str, third: str) -> None:
    snippets = [hit["snippet"] for hit in world.response.json()["hits"]]
    assert len(snippets) == 3
    for topic, snippet in zip((first, second, third), snippets, strict=True):
        assert TOPICS[topic] in snippet


@then("the hits after the first are its neighbours")
def neighbours(world: World) -> None:
    first, *rest = world.response.json()["hits"]
    assert "neighbour" not in first["scores"]
    assert all(hit["scores"]["neighbour"]["rank"] == 1 for hit in rest)
    assert all(hit["end"] - hit["start"] == len(hit["snippet"]) for hit in (first, *rest))
