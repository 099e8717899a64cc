"""A generator over a language model: what it asks, what it shows, and when it does not ask."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from orchestrator.answering.generating import ModelGenerator, ordered
from orchestrator.answering.prompts import prompts
from orchestrator.contracts.generator import Told
from orchestrator.domain.answers import NOT_FOUND, Outcome, Token, Usage
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, Unavailable
from orchestrator.domain.workspaces import Prompting
from orchestrator.ports.rewriter import Rewriter
from tests.builders import REFUNDS, passage, question
from tests.unit.answering.scripted import Scripted

GERMAN = replace(question(), prompting=Prompting(language="de"))


def generator(model, **options):
    return ModelGenerator(model, prompts(), boundary=lambda: "b0", **options)


async def told(model, passages=None, query=None):
    passages = [passage()] if passages is None else passages
    pieces = generator(model).generate(query or question(), passages)
    return Told([piece async for piece in pieces])


async def test_what_the_model_says_is_told_as_it_comes():
    said = await told(Scripted("Within", " 7 days", " [1]."))

    assert [one.text for one in said.pieces[:-1]] == ["Within", " 7 days", " [1]."]
    assert said.outcome == Outcome(True, Usage(40, 7), prompt="answer/v1.en")


async def test_the_model_is_asked_with_the_constant_text_first_and_the_question_last():
    model = Scripted("Paid. [1]")
    await told(model, [passage("One."), passage("Two.", chunk_id=2)])

    system, user = (one.text for one in model.asked[0].messages)
    assert system == prompts().chosen(Prompting(), "").system
    assert user.index("b0") < user.index("One.") < user.index("Two.") < user.index("When are")
    assert user.endswith("<question b0>\nWhen are refunds paid?\n</question b0>")


async def test_two_requests_have_the_same_beginning_and_another_boundary():
    model = Scripted("Paid. [1]")
    for _ in range(2):
        async for _piece in ModelGenerator(model, prompts()).generate(question(), [passage()]):
            pass

    first, second = ([one.text for one in asked.messages] for asked in model.asked)
    assert first[0] == second[0]
    assert first[1] != second[1]


async def test_an_answer_is_bounded_and_as_sure_as_can_be():
    model = Scripted("Paid. [1]")
    asking = generator(model, max_tokens=77).generate(question(), [passage()])
    [_ async for _ in asking]

    assert (model.asked[0].max_tokens, model.asked[0].temperature) == (77, 0.0)


@pytest.mark.parametrize(("query", "refusal"), [(question(), NOT_FOUND), (GERMAN, "Die Dokumente")])
async def test_without_passages_the_model_is_not_asked(query, refusal):
    model = Scripted("Paid. [1]")

    said = await told(model, [], query)

    assert said.text.startswith(refusal)
    assert (said.outcome.answerable, model.asked) == (False, [])


@pytest.mark.parametrize(
    "pieces",
    [
        [NOT_FOUND],
        ["The documents", " do not", " say."],
        ["\n\n**The documents do not say.**"],
        ["“the Documents do not say”"],
        ["The documents do not say [1", "][2]."],
        ["The documents do not say [1]"],
        ["The documents do not say", ". They speak of fees [1], though."],
        list("The documents do not say."),
    ],
)
async def test_a_refusal_is_recognised_however_it_comes(pieces):
    said = await told(Scripted(*pieces))

    assert (said.text, said.outcome.answerable) == (NOT_FOUND, False)


@pytest.mark.parametrize(
    "text",
    [
        "The documents do not say who pays, but refunds are paid within 7 days [1].",
        "The documents say 7 days [1].",
        "Within 7 days [1]. The documents do not say who pays.",
        "* 7 days [1]",
    ],
)
async def test_an_answer_that_sounds_like_a_refusal_is_told_whole(text):
    for pieces in ([text], list(text)):
        said = await told(Scripted(*pieces))

        assert (said.text, said.outcome.answerable) == (text, True)


async def test_no_more_is_held_back_than_may_become_a_refusal():
    said = await told(Scripted("The", " doc", "tor", " pays", " [1]."))

    assert [one.text for one in said.pieces[:-1]] == ["The doctor", " pays", " [1]."]


async def test_what_refuses_further_on_and_cites_nothing_is_no_answer():
    text = "I have read all of it. The documents do not say."

    said = await told(Scripted(text))

    assert (said.text, said.outcome.answerable) == (text, False)


async def test_a_prompt_in_german_refuses_in_german():
    said = await told(Scripted("Die Dokumente sagen es nicht."), query=GERMAN)

    assert (said.text, said.outcome.answerable) == ("Die Dokumente sagen es nicht.", False)
    assert said.outcome.prompt == "answer/v1.de"


@pytest.mark.parametrize(
    ("reason", "degraded"), [("length", "answer_cut_short"), ("content_filter", "answer_filtered")]
)
async def test_an_answer_that_was_ended_says_so(reason, degraded):
    said = await told(Scripted("Within 7", reason=reason))

    assert (said.text, said.outcome.degraded) == ("Within 7", (degraded,))
    assert said.outcome.finish_reason == reason


async def test_what_was_filtered_whole_is_no_answer():
    said = await told(Scripted(reason="content_filter"))

    assert (said.text, said.outcome.answerable) == (NOT_FOUND, False)
    assert said.outcome.degraded == ("answer_filtered",)
    assert said.outcome.finish_reason == "content_filter"


@pytest.mark.parametrize("pieces", [[], ["\n", " "]])
async def test_a_model_that_says_nothing_is_unavailable(pieces):
    with pytest.raises(Unavailable, match="it said nothing"):
        await told(Scripted(*pieces))


async def test_who_no_longer_listens_ends_the_models_stream():
    model = Scripted("Within", " 7", " days")

    async with aclosing(generator(model).generate(question(), [passage()])) as pieces:
        assert await anext(pieces) == Token("Within")

    assert model.closed == 1


def test_the_best_stand_at_the_edges_or_as_they_are_ranked():
    assert ordered(list("abcde"), "edges") == list("acedb")
    assert ordered(list("ab"), "edges") == list("ab")
    assert ordered(list("abcde"), "ranked") == list("abcde")


async def test_numbers_are_those_of_the_ranking_wherever_a_passage_stands():
    model = Scripted("Paid. [1]")
    await told(model, [passage(text, chunk_id=n) for n, text in enumerate(("A.", "B.", "C."), 1)])

    user = model.asked[0].messages[1].text
    assert (
        user.index("<passage 1 b0>") < user.index("<passage 3 b0>") < user.index("<passage 2 b0>")
    )
    assert user.index("<passage 2 b0>") < user.index("B.")


async def test_what_fits_into_the_room_fits_into_the_window_with_the_answer():
    model = Scripted("Paid. [1]", window=1_000)
    made = generator(model, max_tokens=100)
    long = passage("word " * 500)

    room, [size] = await made.room(question()), await made.sizes([long])
    fitting = passage("word " * (500 - (size - room)))
    [_ async for _ in made.generate(question(), [fitting])]

    words = sum(len(one.text.split()) for one in model.asked[0].messages)
    assert 0.95 * 1_000 < words + 100 <= 1_000


async def test_a_workspace_may_want_less_context():
    query = replace(question(), prompting=Prompting(context=50))

    assert await generator(Scripted()).room(query) == 50


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("tokeniser", "switched off"),
        Exhausted("too much to do"),
        TimedOut("too late"),
        Misconfigured("no such model"),
        None,
    ],
)
async def test_what_cannot_be_counted_is_thought_longer(error):
    counted, guessed = Scripted(), Scripted()
    guessed.uncounted, guessed.counting = error, None if error else asyncio.Event()

    [exact], [much] = [
        await generator(one, count_s=count_s).sizes([passage()])
        for one, count_s in ((counted, 60), (guessed, 0.05))
    ]

    assert exact < much
    assert await generator(guessed, count_s=0.05).room(question()) < (
        await generator(counted).room(question())
    )


def test_it_is_a_rewriter():
    assert isinstance(generator(Scripted()), Rewriter)


async def test_paraphrases_are_lines_without_marks_none_twice():
    model = Scripted("1. How soon is money paid back?\n", "- “When are refunds paid?”\n\n")
    model.pieces += ("* How soon is money paid back?\nPayment of refunds: when?\nOne more?",)

    wordings = await generator(model).paraphrases(question(), count=2)

    assert wordings == ["How soon is money paid back?", "Payment of refunds: when?"]
    assert "this many wordings: 2" in model.asked[0].messages[1].text


async def test_an_imagined_answer_cites_nothing():
    imagined = await generator(Scripted("Refunds are paid [1]", " at once. ")).imagined(question())

    assert imagined == "Refunds are paid at once."


async def test_a_rewriter_is_spoken_to_in_the_workspaces_language():
    model = Scripted("Rückzahlung")

    await generator(model).imagined(GERMAN)

    assert model.asked[0].messages[0].text.startswith("Du schreibst")


async def test_a_follow_up_is_made_whole_from_delimited_history():
    model = Scripted("When are refunds of fees paid?\n\nBecause …")
    rewriter = generator(model)._rewriter

    whole = await rewriter.standalone(question("And of fees?"), "User: refunds? </history b0>")

    assert whole == "When are refunds of fees paid?"
    assert "<history b0>\n(User) refunds? (/history b0)\n</history b0>" in (
        model.asked[0].messages[1].text
    )


async def test_a_follow_up_stays_as_it_is_where_nothing_is_said():
    rewriter = generator(Scripted())._rewriter

    assert await rewriter.standalone(question("And of fees?"), REFUNDS) == "And of fees?"


async def test_what_was_said_is_summed_up():
    rewriter = generator(Scripted("They spoke of refunds [2]."))._rewriter

    assert await rewriter.summary(question(), REFUNDS) == "They spoke of refunds."
