"""Verifiers by words, by meaning and by language models keep the promises of every verifier."""

from __future__ import annotations

import json
import re

import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.embedder.onnx import open_onnx
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.verifying import AgreementVerifier, EmbeddingVerifier, ModelVerifier
from orchestrator.contracts.verifier import VerifierContract
from orchestrator.domain.answers import Usage
from orchestrator.ports.language import Finish


class ReadingModel:
    """A `LanguageModel` that reads its prompt, and finds a statement where it stands word by word.

    It says so in pieces, with talk around it.
    """

    name, window = "reading", 4096

    async def count(self, texts):
        return [len(one) for one in texts]

    async def stream(self, asked):
        said = asked.messages[-1].text
        statement = re.search("<statement>(.*)</statement>", said, re.DOTALL)[1].strip()
        passages = re.findall("<passage>(.*?)</passage>", said, re.DOTALL)
        found = bool(statement) and any(statement in one for one in passages)
        yield "Here: "
        yield told(10 * found)[:6]
        yield told(10 * found)[6:]
        yield Finish("stop", Usage(20, 5))


def told(support):
    return json.dumps({"support": support})


class TestLexicalVerifier(VerifierContract):
    @pytest.fixture
    def verifier(self):
        return LexicalVerifier()


class TestEmbeddingVerifierWithHashing(VerifierContract):
    @pytest.fixture
    def verifier(self):
        return EmbeddingVerifier(MockEmbedder())


class TestEmbeddingVerifier(VerifierContract):
    @pytest.fixture
    async def verifier(self, model_folder):
        async with open_onnx(model_folder, threads=1) as embedder:
            yield EmbeddingVerifier(embedder)


class TestModelVerifier(VerifierContract):
    @pytest.fixture
    def verifier(self):
        return ModelVerifier(ReadingModel())


class TestAgreementVerifier(VerifierContract):
    @pytest.fixture
    def verifier(self):
        return AgreementVerifier([ModelVerifier(ReadingModel()), LexicalVerifier()])
