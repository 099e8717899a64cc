"""Generators answer from passages alone, and cite none that they were not given."""

from __future__ import annotations

import pytest

from adapters.embedder.onnx import OnnxEmbedder
from adapters.generator.extractive import ExtractiveGenerator
from adapters.generator.mock import MockGenerator
from orchestrator.answering.generating import ModelGenerator
from orchestrator.answering.prompts import prompts
from orchestrator.contracts.generator import LUNCH, REFUNDS, GeneratorContract, told
from orchestrator.domain.answers import NOT_FOUND
from orchestrator.settings import generators
from tests.obedient import Obedient

ALWAYS_THE_FIRST = "the mock answers from its first passage, whatever that says"


class TestMockGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> MockGenerator:
        return MockGenerator()

    @pytest.mark.xfail(reason=ALWAYS_THE_FIRST, strict=True)
    async def test_the_citation_is_of_the_passage_that_answers(self, generator):
        said = await told(generator, "When are refunds paid?", LUNCH, REFUNDS)

        assert said.cited == {2}

    @pytest.mark.xfail(reason=ALWAYS_THE_FIRST, strict=True)
    async def test_passages_that_do_not_answer_are_no_answer(self, generator):
        said = await told(generator, "Who founded the observatory in Samarkand?", LUNCH)

        assert not said.outcome.answerable


class Extractive(GeneratorContract):
    async def test_an_answer_is_made_of_the_passages_own_words(self, generator):
        said = await told(generator, "When are refunds paid?", LUNCH, REFUNDS)

        assert REFUNDS in said.text

    async def test_weak_evidence_is_said_to_be_none(self, generator):
        said = await told(generator, "Who founded the observatory in Samarkand?", LUNCH, REFUNDS)

        assert said.text == NOT_FOUND


class TestExtractiveGeneratorByWords(Extractive):
    @pytest.fixture
    def generator(self) -> ExtractiveGenerator:
        return extractive(None)


class TestExtractiveGeneratorByMeaning(Extractive):
    @pytest.fixture
    def generator(self, minilm: OnnxEmbedder) -> ExtractiveGenerator:
        return extractive(minilm)


class TestModelGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> ModelGenerator:
        return ModelGenerator(Obedient(), prompts())


def extractive(embedder: OnnxEmbedder | None) -> ExtractiveGenerator:
    chosen = generators.ExtractiveGeneratorOptions(kind="extractive")
    return ExtractiveGenerator(
        words=chosen.words,
        sentences=chosen.sentences,
        evidence=chosen.evidence,
        embedder=embedder,
    )
