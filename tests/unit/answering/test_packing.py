"""Packing: what reaches a model's window of what was found, and what the trace says of the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.answering.packing import Packed, Packer
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Conflict, TooLarge
from orchestrator.domain.passages import Passage
from tests.builders import chunk, question
from tests.unit.answering.stages import Stages

TEXT = (
    "Fees are due in May. Refunds are paid within 7 days. The office is closed on Sundays. "
    "Late refunds earn interest. Nobody knows who painted the hall."
)
ASKED = question("When are refunds paid?")


class Words:
    """`orchestrator.ports.measured.Measured`: a token is a word, and a block has two more."""

    def __init__(self, room):
        self._room = room
        self.asked = 0

    async def room(self, query):
        return self._room

    async def sizes(self, passages):
        self.asked += 1
        return [len(one.chunk.text.split()) + 2 for one in passages]


def of(text, chunk_id=1, *, document="a", start=0, score=0.5, **fields):
    one = chunk(text, chunk_id=chunk_id)
    fields = {"document_id": document, "start": start, "end": start + len(text), **fields}
    return Passage(replace(one, **fields), score)


async def packed(passages, room=1_000, query=ASKED):
    return await Packer(Words(room)).pack(query, passages)


def texts(found):
    return [one.chunk.text for one in found.passages]


async def test_for_a_generator_without_a_window_all_is_given_as_it_is():
    passages = [of("Same.", 1), of("Same.", 2)]

    found = await Packer().pack(ASKED, passages)

    assert found.passages is found.used is passages
    assert found.trace is None


async def test_what_fits_is_given_whole_and_in_order():
    passages = [of(f"{word} alone.", n, document=word) for n, word in enumerate("cab", 1)]

    found = await packed(passages)

    assert found.passages == passages
    assert (found.trace.given, found.trace.tokens, found.trace.budget) == (3, 12, 1_000)
    assert found.trace.left_out == found.trace.merged == found.trace.duplicates == ()


async def test_without_passages_there_is_nothing_to_pack():
    assert (await packed([])).passages == []


# --- duplicates


@pytest.mark.parametrize("again", [TEXT, TEXT.upper(), TEXT.replace(". ", " –\n")])
async def test_what_is_said_twice_is_given_once(again):
    found = await packed([of(TEXT, 1), of(again, 2, document="b")])

    assert texts(found) == [TEXT]
    assert found.trace.duplicates == ("2",)
    assert [one.chunk.id for one in found.used] == [1]


async def test_what_is_nearly_the_same_is_given_once():
    found = await packed([of(TEXT * 3, 1), of(TEXT * 3 + " Indeed.", 2, document="b")])

    assert found.trace.duplicates == ("2",)


@pytest.mark.parametrize(
    "other", [TEXT.replace("7 days", "14 days"), TEXT + " There are 3 rooms.", "Another text."]
)
async def test_what_says_another_number_is_no_duplicate(other):
    found = await packed([of(TEXT, 1), of(other, 2, document="b")])

    assert texts(found) == [TEXT, other]


async def test_the_same_answer_to_another_question_is_no_duplicate():
    yes = [of("Yes.", n, document="q", section=f"May I {n}?", asked=True) for n in (1, 2)]

    assert (await packed(yes)).passages == yes


# --- neighbours


async def test_neighbours_become_one_source_of_the_whole_span_where_the_best_of_them_stood():
    other = of("Between.", 9, document="b", score=0.8)
    second, first = of("Second part.", 2, start=13, score=0.9), of("First part.", 1, score=0.4)

    found = await packed([second, other, first])

    merged = found.passages[0]
    assert texts(found) == ["First part.\n\nSecond part.", "Between."]
    assert (merged.chunk.start, merged.chunk.end) == (0, 25)
    assert (merged.chunk.id, merged.score) == (2, 0.9)
    assert found.trace.merged == ("1",)
    assert {one.chunk.id for one in found.used} == {1, 2, 9}


async def test_what_neighbours_share_is_said_once():
    text = "One is here. Two is here. Three is here."
    first, second = of(text[:25], 1), of(text[13:], 2, start=13)

    found = await packed([first, second])

    assert texts(found) == [text]
    assert (found.passages[0].chunk.start, found.passages[0].chunk.end) == (0, len(text))


async def test_a_chunk_within_another_adds_nothing():
    found = await packed([of("One is here. Two is here.", 1), of("Two is", 2, start=13)])

    assert texts(found) == ["One is here. Two is here."]


@pytest.mark.parametrize(
    "fields",
    [
        {"start": 40},
        {"document": "b"},
        {"version": 2},
        {"section": "Delays"},
        {"asked": True},
    ],
)
async def test_what_does_not_stand_side_by_side_stays_apart(fields):
    second = {"start": 12, **fields}

    found = await packed([of("First part.", 1), of("Second part.", 2, **second)])

    assert len(found.passages) == 2
    assert found.trace.merged == ()


# --- the budget


async def test_the_best_is_given_and_then_what_is_worth_most_for_each_token():
    best = of("best " * 10, 1, document="a", score=0.9)
    long = of("long " * 18, 2, document="b", score=0.6)
    short = of("short " * 8, 3, document="c", score=0.5)

    found = await packed([best, long, short], room=24)

    assert [one.chunk.id for one in found.passages] == [1, 3]
    assert found.trace.left_out == ("2",)
    assert found.trace.tokens == 22


async def test_what_does_not_fit_is_compressed_to_the_sentences_that_matter():
    best = of("word " * 20, 1, document="a", score=0.9)
    padded = f"{TEXT} " + "Something else is told here at length, too. " * 8

    found = await packed([best, of(padded, 2, document="b", start=100)], room=60)

    shorter = found.passages[1].chunk
    assert "Refunds are paid within 7 days. … Late refunds earn interest." in shorter.text
    assert "painted" not in shorter.text
    assert found.trace.compressed == ("2",)
    assert found.trace.tokens <= 60
    assert [one.chunk.text for one in found.used][1] == padded


async def test_what_is_compressed_is_verbatim_and_its_span_is_as_narrow():
    found = await packed([of(TEXT * 4, 1, start=500)], room=40)

    shorter = found.passages[0].chunk
    pieces = shorter.text.split(" … ")
    assert all(piece in TEXT * 4 for piece in pieces)
    assert (TEXT * 4)[shorter.start - 500 :].startswith(pieces[0])
    assert (TEXT * 4)[: shorter.end - 500].endswith(pieces[-1])


async def test_a_passage_that_shares_no_word_with_the_question_is_given_from_its_beginning():
    query = Query("Xylophone?")

    found = await packed([of(TEXT * 10, 1)], room=40, query=query)

    assert texts(found)[0].startswith("Fees are due in May. Refunds are paid")


async def test_the_best_is_rather_compressed_than_left_out_for_others():
    long = of(TEXT * 10, 1, document="a", score=0.9)
    short = of("Short.", 2, document="b", score=0.8)

    found = await packed([long, short], room=40)

    assert found.passages[0].chunk.id == 1
    assert found.trace.compressed == ("1",)


@pytest.mark.parametrize("room", [-5, 0, 3])
async def test_where_no_sentence_fits_the_question_is_too_long(room):
    with pytest.raises(TooLarge, match="not one sentence"):
        await packed([of(TEXT, 1)], room=room)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 60),
            st.sampled_from("ab"),
            st.integers(0, 400),
            st.floats(0.01, 1.0),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(40, 400),
)
async def test_whatever_is_found_it_fits_and_every_chunk_is_accounted_for(found, room):
    document = "The hall is open. Refunds are paid. It rains in May, as it does in June. " * 12
    passages = [
        of(document[start : start + words * 6], n, document=name, start=start, score=score)
        for n, (words, name, start, score) in enumerate(found, 1)
    ]
    passages.sort(key=lambda one: -one.score)

    result = await packed(passages, room=room)

    trace = result.trace
    sizes = await Words(0).sizes(result.passages)
    assert sum(sizes) == trace.tokens <= trace.budget == room
    assert len(result.passages) == trace.given >= 1
    named = {str(one.chunk.id) for one in result.passages}
    others = [*trace.merged, *trace.duplicates, *trace.left_out]
    assert len(others) == len(set(others))
    assert named | set(others) == {str(one.chunk.id) for one in passages}
    assert not named & set(others)
    assert set(trace.compressed) <= named
    assert {str(one.chunk.id) for one in result.used} == named | set(trace.merged)


# --- in the pipeline


@pytest.fixture
def stages():
    made = Stages(["Paid. [1] [2] [3]"])
    for text in (TEXT, "Hotels are paid for.", TEXT):
        made.catalog.publish("default", text)
    made.packer = Packer(Words(1_000))
    return made


async def test_sources_are_the_packed_passages_numbered_as_they_are_cited(stages):
    answer = await stages.answering.answer(ASKED)

    assert [one.snippet for one in answer.sources] == [TEXT, "Hotels are paid for."]
    assert answer.answer == "Paid. [1] [2]"
    assert len(stages.generated[0][1]) == 2


async def test_the_trace_is_told_and_remembered(stages):
    first, again = [await stages.answering.answer(ASKED) for _ in range(2)]

    assert first.meta.packing == again.meta.packing
    assert (first.meta.packing.given, len(first.meta.packing.duplicates)) == (2, 1)
    assert again.meta.cache_hit


async def test_no_answer_is_finished_that_holds_what_was_merged_and_is_withdrawn(stages):
    class Joining:
        async def pack(self, query, passages):
            return Packed(passages[:1], passages)

    stages.packer = Joining()
    stages.before_generation = lambda: stages.withdraw(stages.generated[0][1][0] % 3 + 1)

    with pytest.raises(Conflict):
        [one async for one in stages.answering.stream(ASKED)]
