"""A question is understood before it is searched, and says what was made of it."""

from __future__ import annotations

import pytest

from orchestrator.answering.asking import UnderstandingRetriever
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, TooLarge, Unavailable
from orchestrator.domain.passages import Passage, Retrieval, StageScore
from orchestrator.domain.understanding import Correction
from orchestrator.domain.workspaces import Understanding
from tests.builders import chunk, question

COMPOUND = "How fast are refunds paid, and who approves them?"


class Inner:
    """Finds what it was told to for a text; `asked` are the questions."""

    def __init__(self, **found):
        self.found = {text.replace("_", " "): passages for text, passages in found.items()}
        self.asked = []
        self.degraded = ()

    async def retrieve(self, query, *, limit):
        self.asked.append(query)
        return Retrieval(self.found.get(query.text, [])[:limit], self.degraded)


class Speller:
    def __init__(self, *corrections, error=None):
        self.found, self.error = corrections, error

    async def corrections(self, _query):
        if self.error:
            raise self.error
        return self.found


def passage(chunk_id, score):
    stages = {"dense": StageScore(score, chunk_id)}
    return Passage(chunk(chunk_id=chunk_id), score, stages)


async def test_by_default_a_question_is_searched_as_it_is_and_its_kind_told():
    inner, query = Inner(), question("How fast are refunds paid?")

    found = await UnderstandingRetriever(inner, Understanding(), None).retrieve(query, limit=5)

    (asked,) = inner.asked
    assert (asked.text, asked.synonyms, asked.scope) == (query.text, (), query.scope)
    assert (found.understood.kind, found.understood.parts) == ("question", ())


async def test_the_form_leans_the_search():
    inner = Inner()

    await UnderstandingRetriever(inner, Understanding(), None).retrieve(question("E1042"), limit=5)

    assert inner.asked[0].lean == 1.0


async def test_corrections_are_searched_for_and_told():
    inner, correction = Inner(), Correction("refnuds", "refunds")
    retriever = UnderstandingRetriever(inner, Understanding(spelling=True), Speller(correction))

    found = await retriever.retrieve(question("Are refnuds paid?"), limit=5)

    assert inner.asked[0].text == found.understood.text_searched == "Are refunds paid?"
    assert found.understood.corrections == (correction,)


async def test_without_its_speller_a_question_is_searched_as_it_is_and_degraded():
    inner = Inner()
    speller = Speller(error=Unavailable("spelling", "switched off"))
    retriever = UnderstandingRetriever(inner, Understanding(spelling=True), speller)

    found = await retriever.retrieve(question("Are refnuds paid?"), limit=5)

    assert inner.asked[0].text == "Are refnuds paid?"
    assert found.degraded == ("spelling",)


async def test_synonyms_of_the_corrected_question_are_looked_for_too():
    inner = Inner()
    how = Understanding(spelling=True, synonyms=(("refunds", "money back"),))
    retriever = UnderstandingRetriever(inner, how, Speller(Correction("refnuds", "refunds")))

    found = await retriever.retrieve(question("Are refnuds paid?"), limit=5)

    assert inner.asked[0].synonyms == found.understood.synonyms == ("money back",)


async def test_by_default_parts_are_searched_too_and_the_best_of_all_found():
    inner = Inner(
        **{
            COMPOUND.replace(" ", "_"): [passage(1, 0.6), passage(2, 0.5)],
            "How_fast_are_refunds_paid": [passage(2, 0.9)],
            "who_approves_them?": [passage(3, 0.8)],
        }
    )
    retriever = UnderstandingRetriever(inner, Understanding())

    found = await retriever.retrieve(question(COMPOUND), limit=2)

    assert [(one.chunk.id, one.score) for one in found.passages] == [(2, 0.9), (3, 0.8)]
    assert found.passages[0].stages["part 1"] == StageScore(0.9, 1)
    assert found.passages[1].stages["part 2"] == StageScore(0.8, 1)
    assert found.understood.parts == ("How fast are refunds paid", "who approves them?")


async def test_parts_are_not_searched_where_that_is_not_wanted():
    inner = Inner()

    found = await UnderstandingRetriever(inner, Understanding(parts=False)).retrieve(
        question(COMPOUND), limit=2
    )

    assert [one.text for one in inner.asked] == [COMPOUND]
    assert (found.understood.kind, found.understood.parts) == ("compound", ())


async def test_what_was_missing_is_told_once_however_often_it_was():
    inner = Inner()
    inner.degraded = ("dense_retrieval",)
    retriever = UnderstandingRetriever(inner, Understanding(parts=True), None)

    found = await retriever.retrieve(question(COMPOUND), limit=2)

    assert found.degraded == ("dense_retrieval",)


class Writer:
    """A language model that says what it was told to; `asked` are the questions."""

    def __init__(self, *wordings, imagined="", error=None):
        self.wordings, self.answer, self.error = wordings, imagined, error
        self.asked = []

    async def paraphrases(self, query, *, count):
        self.asked.append((query.text, count))
        if self.error:
            raise self.error
        return self.wordings

    async def imagined(self, query):
        return self.answer


async def test_paraphrases_and_an_imagined_answer_are_searched_for_too():
    inner = Inner(
        Are_refunds_paid=[passage(1, 0.5)],
        Is_money_sent_back=[passage(2, 0.9)],
        They_are_paid=[passage(3, 0.7), passage(1, 0.6)],
    )
    writer = Writer("Is money sent back", "too many", imagined="They are paid")
    how = Understanding(paraphrases=1, imagined=True)

    found = await UnderstandingRetriever(inner, how, None, writer).retrieve(
        question("Are refunds paid"), limit=5
    )

    assert [one.chunk.id for one in found.passages] == [2, 3, 1]
    assert found.passages[0].stages["paraphrase 1"] == StageScore(0.9, 1)
    assert found.passages[2].stages["imagined"] == StageScore(0.6, 2)
    assert found.understood.text_searched == "Are refunds paid"


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the model", "switched off"),
        Exhausted("busy"),
        TimedOut("late"),
        Misconfigured("the key was refused"),
        TooLarge("its window is small"),
    ],
)
async def test_a_language_model_that_is_down_degrades_and_the_question_itself_is_searched(error):
    inner = Inner(Are_refunds_paid=[passage(1, 0.5)])
    writer = Writer(error=error)

    found = await UnderstandingRetriever(
        inner, Understanding(paraphrases=2), None, writer
    ).retrieve(question("Are refunds paid"), limit=5)

    assert [one.chunk.id for one in found.passages] == [1]
    assert found.degraded == ("rewriting",)


async def test_a_wording_of_nothing_is_not_searched_for():
    inner = Inner()

    await UnderstandingRetriever(inner, Understanding(imagined=True), None, Writer()).retrieve(
        question("Are refunds paid"), limit=5
    )

    assert [one.text for one in inner.asked] == ["Are refunds paid"]
