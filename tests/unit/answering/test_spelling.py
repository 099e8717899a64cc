"""Spelling: words are read as those of passages that the caller may see, or left as they are."""

from __future__ import annotations

import pytest

from orchestrator.answering.spelling import CORRECTED, WORDS, Spelling, corrected, nearest
from orchestrator.domain.passages import Passage
from orchestrator.domain.understanding import Correction
from tests.builders import chunk, question


def passages(*texts):
    return [Passage(chunk(text, chunk_id=n), 0.0) for n, text in enumerate(texts, start=1)]


class Index:
    """Finds chunks for the words that it is given chunks for; `asked` are its questions."""

    def __init__(self, **near):
        self.near = near
        self.asked = []

    async def __call__(self, words, scope):
        self.asked.append((list(words), scope))
        return {word: self.near[word] for word in words if word in self.near}


def spelling(index, *texts):
    known = {one.chunk.id: one for one in passages(*texts)}

    async def read(candidates, _scope):
        return [known[one.chunk_id] for one in candidates]

    return Spelling(index, read)


async def test_a_word_is_read_as_the_nearest_of_the_passages_that_the_index_found():
    index = Index(refnuds=[1, 2])

    found = await spelling(index, "Refunds are paid.", "Funds.").corrections(
        question("How fast are refnuds paid?")
    )

    assert found == (Correction("refnuds", "refunds"),)


async def test_the_index_is_asked_in_the_scope_of_the_question():
    index, query = Index(), question("Are refnuds paid?")

    await spelling(index).corrections(query)

    assert index.asked == [(["refnuds"], query.scope)]


async def test_short_words_codes_and_names_with_signs_are_not_looked_up():
    index = Index()

    await spelling(index).corrections(question("Is E10422, foo-barre or max_tokens paid off?"))

    assert index.asked[0][0] == []


async def test_so_many_words_are_looked_up_and_so_many_corrected_at_most():
    words = [f"refund{letter * 3}" for letter in "abcdefghijklmnopqrst"]
    index = Index(**{word: [1] for word in words})

    found = await spelling(index, " ".join(words[::-1]) + " refundabc").corrections(
        question(" ".join(words))
    )

    assert len(index.asked[0][0]) == WORDS
    assert len(found) <= CORRECTED


@pytest.mark.parametrize(
    ("word", "texts", "wanted"),
    [
        ("gatway", ["The gateway has a getaway."], "gateway"),
        ("recieve", ["Receive it; we relieve nobody."], "receive"),
        ("rafunds", ["refunds refinds", "refunds"], "refunds"),
        ("singature", ["The signature of a signatory."], "signature"),
        ("tefunds", ["refunds"], None),  # begins otherwise
        ("refund", ["refund"], None),  # is itself
        ("windw", ["wound"], None),  # two changes in a short word
    ],
)
def test_the_nearest_word_begins_alike_and_is_one_change_away_or_two_if_it_is_long(
    word, texts, wanted
):
    assert nearest(word, passages(*texts)) == wanted


def test_whole_words_alone_are_corrected():
    made = corrected("refnd refnds refnd.", [Correction("refnd", "refund")])

    assert made == "refund refnds refund."
