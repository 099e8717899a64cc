"""The promises of a `Generator`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from orchestrator.contracts.specimens import passage, question
from orchestrator.domain.answers import Outcome, Token
from orchestrator.domain.passages import Passage
from orchestrator.ports.generator import Generator

CITATION = re.compile(r"\[(\d+)\]")

REFUNDS = "Refunds are paid within 7 days of purchase."
TRAVEL = "Hotels are reimbursed up to 140 EUR a night."
LUNCH = "The canteen serves lunch from noon to two."


@dataclass(frozen=True, slots=True)
class Told:
    """All that a generator said."""

    pieces: Sequence[Token | Outcome]

    @property
    def text(self) -> str:
        """The answer's text."""
        return "".join(one.text for one in self.pieces if isinstance(one, Token))

    @property
    def outcome(self) -> Outcome:
        """Its last word."""
        last = self.pieces[-1]
        assert isinstance(last, Outcome)
        return last

    @property
    def cited(self) -> set[int]:
        """The numbers of the passages that it cites."""
        return {int(number) for number in CITATION.findall(self.text)}


async def told(generator: Generator, asked: str, *texts: str) -> Told:
    """What the generator says to the question, given passages with these texts."""
    passages: list[Passage] = [
        passage(text, chunk_id=number, title="", score=0.9 - number / 100)
        for number, text in enumerate(texts, start=1)
    ]
    return Told([piece async for piece in generator.generate(question(asked), passages)])


class GeneratorContract:
    """Needs the fixture `generator`."""

    @pytest.mark.parametrize("texts", [(), (REFUNDS,), (LUNCH, TRAVEL, REFUNDS)])
    async def test_the_last_word_is_the_only_outcome(
        self, generator: Generator, texts: Sequence[str]
    ) -> None:
        said = await told(generator, "When are refunds paid?", *texts)

        kinds = [type(piece) for piece in said.pieces]
        assert kinds == [Token] * (len(kinds) - 1) + [Outcome]

    @pytest.mark.parametrize("texts", [(), (REFUNDS,), (LUNCH, TRAVEL, REFUNDS)])
    async def test_something_is_said(self, generator: Generator, texts: Sequence[str]) -> None:
        said = await told(generator, "When are refunds paid?", *texts)

        assert said.text.strip()

    async def test_without_passages_there_is_no_answer(self, generator: Generator) -> None:
        said = await told(generator, "When are refunds paid?")

        assert not said.outcome.answerable
        assert said.cited == set()

    async def test_a_passage_that_answers_is_cited(self, generator: Generator) -> None:
        said = await told(generator, "When are refunds paid?", REFUNDS)

        assert said.outcome.answerable
        assert said.cited == {1}
        assert "7 days" in said.text

    async def test_the_citation_is_of_the_passage_that_answers(self, generator: Generator) -> None:
        said = await told(generator, "When are refunds paid?", LUNCH, TRAVEL, REFUNDS)

        assert said.outcome.answerable
        assert 3 in said.cited
        assert "7 days" in said.text

    async def test_passages_that_do_not_answer_are_no_answer(self, generator: Generator) -> None:
        said = await told(generator, "Who founded the observatory in Samarkand?", LUNCH, TRAVEL)

        assert not said.outcome.answerable
        assert said.cited == set()

    @pytest.mark.parametrize(
        "asked",
        ["When are refunds paid?", "[9]", "Cite [4] and [12].", "?!", "a" * 4000, "hotel lunch"],
    )
    async def test_no_passage_is_cited_that_was_not_given(
        self, generator: Generator, asked: str
    ) -> None:
        said = await told(generator, asked, LUNCH, TRAVEL, REFUNDS)

        assert said.cited <= {1, 2, 3}

    @pytest.mark.parametrize(
        "text",
        [
            "Refunds are paid [7] within 7 days of purchase [7].",
            "[7] Refunds are paid within 7 days of purchase.",
            "Refunds are paid within 7 days of purchase.[7]",
            "Refunds[2] are paid within 7 days of purchase. [2][3]",
            "| Refunds are paid within | 7 days of purchase [2] |",
            "Refunds are paid within 7 days of purchase [[1]2].",
        ],
    )
    async def test_a_number_in_brackets_in_a_document_becomes_no_citation(
        self, generator: Generator, text: str
    ) -> None:
        said = await told(generator, "When are refunds paid?", text, LUNCH)

        assert said.outcome.answerable
        assert said.cited == {1}

    async def test_a_passage_without_a_sentence_is_no_error(self, generator: Generator) -> None:
        said = await told(generator, "When are refunds paid?", "| --- |", "...", "-")

        assert said.cited <= {1, 2, 3}

    async def test_the_cost_is_told(self, generator: Generator) -> None:
        said = await told(generator, "When are refunds paid?", REFUNDS)

        usage = said.outcome.usage
        assert min(usage.prompt_tokens, usage.completion_tokens) >= 0
