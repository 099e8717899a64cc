"""A question is understood before it is searched, and says what was made of it."""

from __future__ import annotations

from orchestrator.answering.asking import UnderstandingRetriever
from orchestrator.domain.errors import Unavailable
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


async def test_parts_are_searched_where_that_is_wanted_and_the_best_of_all_found():
    inner = Inner(
        **{
            COMPOUND.replace(" ", "_"): [passage(1, 0.6), passage(2, 0.5)],
            "How_fast_are_refunds_paid": [passage(2, 0.9)],
            "who_approves_them?": [passage(3, 0.8)],
        }
    )
    retriever = UnderstandingRetriever(inner, Understanding(parts=True), None)

    found = await retriever.retrieve(question(COMPOUND), limit=2)

    assert [(one.chunk.id, one.score) for one in found.passages] == [(2, 0.9), (3, 0.8)]
    assert found.passages[0].stages["part 1"] == StageScore(0.9, 1)
    assert found.passages[1].stages["part 2"] == StageScore(0.8, 1)
    assert found.understood.parts == ("How fast are refunds paid", "who approves them?")


async def test_parts_are_not_searched_by_default():
    inner = Inner()

    found = await UnderstandingRetriever(inner, Understanding(), None).retrieve(
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
