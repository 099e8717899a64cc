"""Where one generator is down the next answers, and says so; no reader is shown two answers."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from adapters.generator.extractive import ExtractiveGenerator
from adapters.generator.mock import MockGenerator
from orchestrator.contracts.generator import GeneratorContract
from orchestrator.domain.answers import Outcome, Token, Usage
from orchestrator.domain.errors import (
    Exhausted,
    Misconfigured,
    Rejected,
    TimedOut,
    TooLarge,
    Unavailable,
)
from orchestrator.resilience.fallback import FallbackGenerator, Link
from tests.builders import passage, question
from tests.unit.resilience.scripted import DOWN, Saying

BUSY = Exhausted("too much to do", retry_after=7)


def chain(*generators):
    told = []
    names = ("primary", "second", "third")
    links = [
        Link(name, f"kind of {name}", one) for name, one in zip(names, generators, strict=False)
    ]
    return FallbackGenerator(links, lambda *why: told.append(why)), told


async def heard(generator):
    """What is said, and the error that it ends with."""
    pieces = []
    try:
        async for piece in generator.generate(question(), [passage()]):
            pieces.append(piece)  # noqa: PERF401  # what came before an error counts
    except Exception as error:
        return pieces, error
    return pieces, None


async def test_the_first_answers_where_it_can():
    second = Saying("never")
    generator, told = chain(Saying("Refunds ", "are paid."), second)

    pieces, error = await heard(generator)

    assert pieces == [
        Token("Refunds "),
        Token("are paid."),
        Outcome(answerable=True, generator="kind of primary", model="primary"),
    ]
    assert (error, told, second.calls) == (None, [], 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DOWN, "unavailable"),
        (BUSY, "exhausted"),
        (Exhausted("quota", code="insufficient_quota"), "exhausted"),
        (TimedOut("late"), "timed_out"),
        (Misconfigured("the key was refused"), "misconfigured"),
        (TooLarge("its window is smaller than the first one's"), "too_large"),
    ],
)
async def test_the_next_answers_and_says_why(error, code):
    outcome = Outcome(answerable=True, usage=Usage(5, 2), degraded=("embedder",))
    generator, told = chain(Saying(error), Saying("Quoted.", outcome=outcome))

    pieces, failed = await heard(generator)

    assert failed is None
    assert pieces == [
        Token("Quoted."),
        Outcome(
            answerable=True,
            usage=Usage(5, 2),
            degraded=(f"generator:primary:{code}", "embedder"),
            generator="kind of second",
            model="second",
        ),
    ]
    assert told == [("primary", code)]


async def test_every_one_that_was_passed_over_is_told():
    generator, told = chain(Saying(DOWN), Saying(BUSY), Saying("Quoted."))

    pieces, _ = await heard(generator)

    assert pieces[-1].degraded == ("generator:primary:unavailable", "generator:second:exhausted")
    assert (pieces[-1].generator, pieces[-1].model) == ("kind of third", "third")
    assert told == [("primary", "unavailable"), ("second", "exhausted")]


async def test_where_all_are_down_the_last_error_is_raised():
    generator, told = chain(Saying(DOWN), Saying(BUSY))

    assert await heard(generator) == ([], BUSY)
    assert told == [("primary", "unavailable")]


@pytest.mark.parametrize("error", [DOWN, BUSY, TimedOut("late")])
async def test_after_the_first_word_nobody_else_is_asked(error):
    second = Saying("never")
    generator, told = chain(Saying("Refunds ", error), second)

    assert await heard(generator) == ([Token("Refunds ")], error)
    assert (second.calls, told) == (0, [])


@pytest.mark.parametrize("error", [Rejected("no"), ValueError("a defect")])
async def test_what_another_would_fail_at_too_is_raised(error):
    second = Saying("never")
    generator, _ = chain(Saying(error), second)

    assert await heard(generator) == ([], error)
    assert second.calls == 0


async def test_one_that_failed_is_closed_before_the_next_is_asked():
    first = Saying(DOWN)

    class Looking(Saying):
        async def generate(self, *asked):
            assert first.open == 0
            async for piece in super().generate(*asked):
                yield piece

    generator, _ = chain(first, Looking("Quoted."))

    assert (await heard(generator))[1] is None


async def test_closing_it_closes_who_answers():
    first = Saying("Refunds ", "are paid.")
    generator, _ = chain(first, Saying("never"))

    async with aclosing(generator.generate(question(), [])) as pieces:
        await anext(pieces)
        assert first.open == 1

    assert first.open == 0


def admitting(*errors):
    def admit(error):
        if error:
            raise error

    return FallbackGenerator(
        [Link("one", "openai", Saying(), lambda error=error: admit(error)) for error in errors]
    )


@pytest.mark.parametrize("errors", [(None,), (None, BUSY), (BUSY, None), (DOWN, BUSY, None)])
def test_an_answer_may_begin_where_any_of_the_chain_may(errors):
    admitting(*errors).admit()


def test_where_none_may_begin_what_the_last_one_says_is_told():
    with pytest.raises(Exhausted) as caught:
        admitting(DOWN, BUSY).admit()

    assert caught.value is BUSY


class TestFallbackContract(GeneratorContract):
    @pytest.fixture(params=["first", "last"])
    def generator(self, request):
        quoting = ExtractiveGenerator(words=30, sentences=2, evidence=0.5)
        first = [Saying(Unavailable("it", "is down"))] if request.param == "last" else []
        return chain(*first, quoting, MockGenerator())[0]
