"""The pipeline: what is asked in which order, what is remembered, and what happens without it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from orchestrator.domain.answers import NOT_FOUND, Done, Outcome, Query, Sources, Token, Usage
from orchestrator.domain.context import begin_trace, skip
from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import Principal, Scope
from orchestrator.domain.understanding import Understood
from orchestrator.domain.workspaces import Models
from tests.unit.answering.stages import Stages

TEXTS = ("Refunds are paid within 7 days.", "Fees are not refunded.", "Hotels are paid for.")
QUESTION = Query("When are refunds paid?")
MODELS = ("", "default", "small")


@pytest.fixture
def stages():
    made = Stages()
    made.ids = made.catalog.publish("default", *TEXTS)
    return made


async def told(stages, query=QUESTION):
    return [event async for event in stages.answering.stream(query)]


async def answered(stages, query=QUESTION):
    return (await told(stages, query))[-1].answer


async def test_sources_come_first_then_tokens_then_the_whole_answer(stages):
    events = await told(stages)

    assert [type(one) for one in events] == [Sources, Token, Token, Done]
    assert [one.snippet for one in events[0].sources] == [*TEXTS[::-1]]


async def test_tokens_together_are_the_answer(stages):
    stages.pieces = ["Refunds", " are [", "1", "] paid. [", "9", "] Now [2]\n"]

    events = await told(stages)

    said = "".join(one.text for one in events if isinstance(one, Token))
    assert said == events[-1].answer.answer == "Refunds are [1] paid. Now [2]"


async def test_a_citation_that_never_ends_is_text(stages):
    stages.pieces = ["Paid", " [1"]

    events = await told(stages)

    said = "".join(one.text for one in events if isinstance(one, Token))
    assert said == events[-1].answer.answer == "Paid [1"
    assert not any(one.cited for one in events[-1].answer.sources)


async def test_what_is_cited_is_marked_and_nothing_else(stages):
    stages.pieces = ["Paid. [2] [7]"]

    answer = await answered(stages)

    assert [one.cited for one in answer.sources] == [False, True, False]
    assert answer.answer == "Paid. [2]"


async def test_an_answer_says_how_it_came_to_be(stages):
    trace = begin_trace("0af7651916cd43dd8448eb211c80319c")

    meta = (await answered(stages)).meta

    assert (meta.cache_hit, meta.degraded, meta.trace_id) == (False, (), trace)
    assert (meta.retriever, meta.reranker, meta.generator) == ("hybrid", "mock", "extractive")
    assert (meta.usage, meta.revision, meta.config_version) == (Usage(12, 3), 1, 1)
    assert meta.latency_ms > 0


async def test_what_would_be_refused_is_refused_before_anything_is_looked_up(stages):
    def admit():
        raise Exhausted("too much to do", retry_after=3)

    stages.admit = admit

    with pytest.raises(Exhausted):
        await answered(stages)

    assert (stages.cache.asked, stages.retrieved) == (1, [])


async def test_a_generator_that_answered_for_another_is_named(stages):
    missing = ("generator:primary:unavailable",)
    stages.outcome = Outcome(answerable=True, degraded=missing, generator="mock")

    meta = (await answered(stages)).meta

    assert (meta.generator, meta.degraded) == ("mock", missing)
    assert stages.cache.kept == {}


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_an_answer_says_why_its_model_ended(stages, reason):
    stages.outcome = replace(stages.outcome, finish_reason=reason)

    assert (await answered(stages)).meta.finish_reason == reason


async def test_an_answer_says_which_of_the_settings_generators_made_it(stages):
    assert (await answered(stages)).meta.model == "default"

    stages.outcome = replace(stages.outcome, model="second")
    assert (await answered(stages, replace(QUESTION, text="Who pays?"))).meta.model == "second"


async def test_a_model_that_the_workspace_allows_answers_where_it_is_asked_for(stages):
    stages.catalog.configure("default", models=Models(allowed=("small",)))
    await stages.library.settle("default")

    first = [(await answered(stages, replace(QUESTION, model=one))).meta for one in MODELS]
    again = [(await answered(stages, replace(QUESTION, model=one))).meta for one in MODELS]

    assert [one.model for one in first] == ["default", "default", "small"]
    assert [one.cache_hit for one in first] == [False, True, False]
    assert [one.cache_hit for one in again] == [True, True, True]
    assert [one.model for one in again] == ["default", "default", "small"]


@pytest.mark.parametrize("model", ["large", "Default", "\0"])
async def test_a_model_that_the_workspace_does_not_allow_is_not_there(stages, model):
    with pytest.raises(NotFound, match="there are 'default'") as caught:
        await answered(stages, replace(QUESTION, model=model))

    assert (caught.value.code, caught.value.field) == ("unknown_model", "model")
    assert (stages.cache.asked, stages.retrieved) == (0, [])


async def test_a_source_shows_what_a_citation_needs(stages):
    (source, *_) = (await answered(stages)).sources

    assert (source.chunk_id, source.snippet) == (str(stages.ids[2]), TEXTS[2])
    assert (source.title, source.start, source.end) == ("Refund policy", 0, len(TEXTS[2]))
    assert source.scores["dense"].rank == 3
    assert 0 <= source.score <= 1


async def test_a_generator_that_refuses_is_an_answer_that_says_so(stages):
    stages.pieces, stages.outcome = [NOT_FOUND], Outcome(answerable=False)

    answer = await answered(stages)

    assert (answer.answer, answer.answerable) == (NOT_FOUND, False)
    assert not any(one.cited for one in answer.sources)


async def test_the_answer_is_made_for_the_question_as_it_was_understood_and_says_how(stages):
    stages.understood = Understood("question", "ends with a question mark", "Are refunds paid?")

    answer = await answered(stages, Query("Are refnuds paid?"))
    again = await answered(stages, Query("Are refnuds paid?"))

    assert stages.generated[0][0].text == "Are refunds paid?"
    assert stages.reranked[0][0].text == "Are refunds paid?"
    assert answer.meta.query == again.meta.query == stages.understood
    assert (len(stages.generated), again.meta.cache_hit) == (1, True)


async def test_the_same_question_again_comes_from_the_cache(stages):
    first = await answered(stages)
    trace = begin_trace()

    again = await told(stages)

    answer = again[-1].answer
    assert [type(one) for one in again] == [Sources, Token, Done]
    assert len(stages.generated) == 1
    assert (answer.meta.cache_hit, answer.meta.trace_id) == (True, trace)
    assert (answer.answer, answer.sources) == (first.answer, first.sources)
    assert again[0].sources == first.sources
    assert again[1].text == first.answer


async def test_a_remembered_refusal_is_a_refusal_again(stages):
    stages.pieces, stages.outcome = [NOT_FOUND], Outcome(answerable=False)
    await answered(stages)

    again = await answered(stages)

    assert (again.meta.cache_hit, again.answerable) == (True, False)


async def test_after_a_change_the_same_question_is_answered_anew(stages):
    await answered(stages)
    stages.catalog.publish("default", "Refunds take longer in May.")
    await stages.library.settle("default")

    answer = await answered(stages)

    assert (answer.meta.cache_hit, answer.meta.revision) == (False, 2)


@pytest.mark.parametrize(
    "query",
    [
        Query("  when are\nrefunds PAID? "),
        Query(
            "When are refunds paid?", Scope("default", Principal("another", roles=frozenset("r")))
        ),
    ],
)
async def test_questions_that_differ_in_nothing_that_matters_share_an_answer(stages, query):
    await answered(stages)

    assert (await answered(stages, query)).meta.cache_hit


@pytest.mark.parametrize(
    "query",
    [
        Query("When are fees paid?"),
        Query(QUESTION.text, top_k=4),
        Query(QUESTION.text, Scope("default", Principal("ada", frozenset({"everyone", "board"})))),
        Query(QUESTION.text, Scope("default", filters=Condition("year", "eq", 2026))),
    ],
    ids=["text", "top_k", "groups", "filters"],
)
async def test_questions_that_differ_have_answers_of_their_own(stages, query):
    await answered(stages)

    assert not (await answered(stages, query)).meta.cache_hit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Condition("year", "eq", 2026), Condition("year", "eq", 2025)),
        (Condition("year", "eq", 2026), Condition("year", "ne", 2026)),
        (Condition("year", "eq", 2026), Condition("month", "eq", 2026)),
        (Condition("year", "eq", "1"), Condition("year", "eq", 1)),
        (Condition("flag", "eq", 1), Condition("flag", "eq", True)),
    ],
)
async def test_filters_that_differ_have_answers_of_their_own(stages, one, other):
    first, second = (Query(QUESTION.text, Scope("default", filters=f)) for f in (one, other))
    await answered(stages, first)

    assert not (await answered(stages, second)).meta.cache_hit


async def test_another_configuration_has_answers_of_its_own(stages):
    await answered(stages)
    stages.catalog.configure("default", depth=7)
    await stages.library.settle("default")

    answer = await answered(stages)

    assert (answer.meta.cache_hit, answer.meta.config_version) == (False, 2)


async def test_other_settings_have_answers_of_their_own(stages):
    await answered(stages)
    stages.names = replace(stages.names, fingerprint="another")

    assert not (await answered(stages)).meta.cache_hit


async def test_an_answer_is_kept_under_its_workspace_and_revision(stages):
    await answered(stages)

    ((key, revision),) = stages.cache.kept
    assert (key.workspace, revision) == ("uid of default", 1)
    assert re.fullmatch("[0-9a-f]{32}", key.digest)


async def test_without_the_cache_the_answer_is_made_anew_and_says_so(stages):
    await answered(stages)
    stages.cache.down = {"get"}

    answer = await answered(stages)

    assert (answer.meta.cache_hit, answer.meta.degraded) == (False, ("cache",))
    assert answer.answerable


async def test_a_cache_that_is_down_is_named_once(stages):
    stages.cache.down = {"get", "put"}

    assert (await answered(stages)).meta.degraded == ("cache",)


async def test_an_answer_that_cannot_be_remembered_says_so(stages):
    stages.cache.down = {"put"}

    assert (await answered(stages)).meta.degraded == ("cache",)


async def test_without_the_reranker_the_retrievers_order_stands(stages):
    stages.reranker_down = True

    answer = await answered(stages, Query(QUESTION.text, top_k=2))

    assert [one.snippet for one in answer.sources] == [*TEXTS[:2]]
    assert answer.meta.degraded == ("reranker",)


async def test_what_retrieval_lacked_is_told(stages):
    stages.degraded = ("dense_retrieval",)

    assert (await answered(stages)).meta.degraded == ("dense_retrieval",)


async def test_what_the_generator_lacked_is_told_and_its_answer_not_remembered(stages):
    stages.outcome = Outcome(answerable=True, degraded=("embedder",))

    assert (await answered(stages)).meta.degraded == ("embedder",)
    assert (await answered(stages)).meta.cache_hit is False


async def test_a_stage_that_was_not_needed_is_told_and_the_answer_remembered(stages):
    async def unneeded(_query, passages, *, limit):
        skip("reranker")
        return passages[:limit]

    stages.rerank = unneeded
    first = await answered(stages)
    again = await answered(stages)

    assert (first.meta.skipped, first.meta.degraded) == (("reranker",), ())
    assert (again.meta.skipped, again.meta.cache_hit) == (("reranker",), True)


@pytest.mark.parametrize("fault", ["cache", "reranker", "retrieval"])
async def test_a_degraded_answer_is_never_remembered(stages, fault):
    stages.cache.down = {"get"} if fault == "cache" else set()
    stages.reranker_down = fault == "reranker"
    stages.degraded = ("keyword_retrieval",) if fault == "retrieval" else ()

    await answered(stages)

    assert stages.cache.kept == {}


async def test_without_retrieval_there_is_no_answer(stages):
    stages.retrieval_down = True

    with pytest.raises(Unavailable, match="retrieval"):
        await told(stages)


async def test_without_the_generator_there_is_no_answer_and_none_is_remembered(stages):
    stages.generator_down = True

    with pytest.raises(Unavailable, match="generator"):
        await told(stages)

    assert stages.cache.kept == {}


@pytest.mark.parametrize(("top_k", "depth", "retrieved"), [(2, 0, 2), (2, 3, 3), (3, 1, 3)])
async def test_as_many_passages_are_retrieved_as_the_reranker_looks_at(
    stages, top_k, depth, retrieved
):
    stages.rerank_depth = depth

    answer = await answered(stages, Query(QUESTION.text, top_k=top_k))

    assert [limit for _, limit in stages.retrieved] == [retrieved]
    assert [limit for *_, limit in stages.reranked] == [top_k]
    assert len(answer.sources) == top_k


async def test_the_generator_reads_what_the_sources_show(stages):
    answer = await answered(stages)

    ((query, ids),) = stages.generated
    assert [str(one) for one in ids] == [one.chunk_id for one in answer.sources]
    assert query == QUESTION.at(1)


async def test_a_stream_that_is_closed_has_closed_its_generator(stages):
    closed = []

    async def generate(_query, _passages):
        try:
            while True:
                yield Token("Refunds ")
        finally:
            closed.append("generator")

    stages.generate = generate
    events = stages.answering.stream(QUESTION)
    while not isinstance(await anext(events), Token):
        pass

    await events.aclose()

    assert closed == ["generator"]


async def test_a_source_that_is_deleted_meanwhile_is_a_conflict(stages):
    stages.before_generation = lambda: stages.withdraw(stages.ids[0])

    with pytest.raises(Conflict, match="withdrawn") as caught:
        await told(stages)

    assert caught.value.code == "source_withdrawn"
    assert stages.cache.kept == {}


async def test_a_whole_answer_is_asked_for_again_when_a_source_was_withdrawn(stages):
    stages.catalog.publish("default", "Refunds are paid, I say.")
    withdrawn = [stages.ids[0]]
    stages.before_generation = lambda: withdrawn and stages.withdraw(withdrawn.pop())

    answer = await stages.answering.answer(QUESTION)

    assert [one.snippet for one in answer.sources] == ["Refunds are paid, I say."]
    assert len(stages.generated) == 2


async def test_a_whole_answer_is_not_asked_for_for_ever(stages):
    ids = [stages.catalog.publish("default", f"Refund {one}.")[0] for one in range(5)]
    stages.before_generation = lambda: stages.withdraw(ids.pop())

    with pytest.raises(Conflict, match="withdrawn"):
        await stages.answering.answer(Query("refund", top_k=8))

    assert len(stages.generated) == 3


async def test_a_whole_answer_is_that_of_the_stream(stages):
    answer = await stages.answering.answer(QUESTION)

    assert (answer.answer, answer.answerable) == ("Refunds are paid. [1]", True)


async def test_while_the_indexes_lag_behind_nothing_is_remembered_nor_recalled(stages):
    first = await answered(stages)
    shelf = stages.library._open["default"].shelf
    stages.catalog.publish("default", "Refunds take longer in May.")
    await shelf.refresh()  # seen, and not yet caught up with
    stages.cache.asked, kept = 0, dict(stages.cache.kept)

    again, other = [await answered(stages, one) for one in (QUESTION, Query("Fees?"))]

    assert (again.meta.revision, again.meta.cache_hit) == (1, False)
    assert [one.snippet for one in again.sources] == [one.snippet for one in first.sources]
    assert (other.answerable, stages.cache.asked) == (True, 0)
    assert stages.cache.kept == kept


async def test_a_question_is_asked_at_the_newest_revision_that_is_whole(stages):
    await answered(stages)
    stages.catalog.publish("default", "Refunds take longer in May.")
    await stages.library.settle("default")

    await answered(stages)

    assert [query.scope.revision for query, _ in stages.retrieved] == [1, 2]
