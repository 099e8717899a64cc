"""Embedders turn texts into unit vectors, and the default model into the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.embedder.onnx import OnnxEmbedder, open_onnx
from orchestrator.contracts.embedder import EmbedderContract
from orchestrator.domain.errors import Misconfigured

REFERENCE = Path(__file__).with_name("minilm_vectors.json")


class TestMockEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> MockEmbedder:
        return MockEmbedder()


class TestOnnxEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, minilm: OnnxEmbedder) -> OnnxEmbedder:
        return minilm

    async def test_vectors_are_those_of_the_published_model(self, embedder):
        cases = json.loads(REFERENCE.read_bytes())["cases"]
        wanted = np.array([case["vector"] for case in cases], np.float32)

        vectors = await embedder.embed([case["text"] for case in cases])

        assert len(cases) == 12
        assert (vectors * wanted).sum(axis=1).min() >= 0.9999

    def test_the_reference_was_made_with_the_same_model(self, embedder):
        reference = json.loads(REFERENCE.read_bytes())

        assert reference["weights_sha256"] == embedder.digest
        assert reference["max_tokens"] == embedder.max_tokens

    async def test_a_question_has_the_vector_of_its_text(self, embedder):
        text = "How long does a refund take?"

        vector = await embedder.embed_query(text)

        assert np.abs(vector - (await embedder.embed([text]))[0]).max() < 1e-4

    async def test_what_is_beyond_256_tokens_is_not_read(self, embedder):
        read = "word " * 254
        vectors = await embedder.embed([read, f"{read} volcano", f"volcano {read}"])

        assert float(vectors[0] @ vectors[1]) > 0.9999
        assert float(vectors[0] @ vectors[2]) < 0.9999


class TestOnnxModelThatIsNotThere:
    async def test_says_how_to_fetch_it(self, tmp_path):
        with pytest.raises(Misconfigured, match="rag models pull"):
            async with open_onnx(tmp_path, threads=1):
                pass

    async def test_is_called_damaged_where_it_is(self, tmp_path, model_folder):
        (tmp_path / "tokenizer.json").write_bytes((model_folder / "tokenizer.json").read_bytes())
        (tmp_path / "model.safetensors").write_bytes(b"\x10" + bytes(100))

        with pytest.raises(Misconfigured, match="damaged"):
            async with open_onnx(tmp_path, threads=1):
                pass
