"""The promises of an `Embedder`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from orchestrator.ports.embedder import Embedder

TEXTS = (
    "Refunds are paid within 7 days of purchase.",
    "How long does a refund take?",
    "The gateway rejected the signature of the request; rotate the signing key. " * 12,
    "Zürich, 東京 and São Paulo",
    "E1042",
    "🙂",
    "?!",
    "",
)


class EmbedderContract:
    """Needs the fixture `embedder`."""

    async def test_every_text_has_a_unit_vector_of_the_dimension(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(TEXTS)

        assert vectors.shape == (len(TEXTS), embedder.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)

    @pytest.mark.parametrize("text", TEXTS)
    async def test_every_question_has_a_unit_vector_of_the_dimension(
        self, embedder: Embedder, text: str
    ) -> None:
        vector = await embedder.embed_query(text)

        assert vector.shape == (embedder.dimension,)
        assert vector.dtype == np.float32
        assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-4)

    async def test_no_texts_have_no_vectors(self, embedder: Embedder) -> None:
        vectors = await embedder.embed([])

        assert vectors.shape == (0, embedder.dimension)

    async def test_the_same_text_has_the_same_vector_in_any_company(
        self, embedder: Embedder
    ) -> None:
        together = await embedder.embed(TEXTS)
        alone = np.concatenate([await embedder.embed([text]) for text in TEXTS])

        assert np.abs(together - alone).max() < 1e-4

    async def test_vectors_come_in_the_order_of_their_texts(self, embedder: Embedder) -> None:
        forward = await embedder.embed(TEXTS)
        backward = await embedder.embed(TEXTS[::-1])

        assert np.abs(forward - backward[::-1]).max() < 1e-4

    async def test_a_question_is_nearest_to_the_text_that_answers_it(
        self, embedder: Embedder
    ) -> None:
        texts = [
            "Lunch is served at noon in the canteen.",
            "Refunds are paid within 7 days of purchase.",
            "The gateway rejected the signature of the request.",
        ]
        vectors = await embedder.embed(texts)
        asked = await embedder.embed_query("When are refunds paid?")

        assert int(np.argmax(vectors @ asked)) == 1

    async def test_questions_may_be_asked_while_texts_are_embedded(
        self, embedder: Embedder
    ) -> None:
        alone = await embedder.embed_query(TEXTS[1])

        results = await asyncio.gather(
            embedder.embed(TEXTS * 4), *(embedder.embed_query(TEXTS[1]) for _ in range(8))
        )

        assert max(np.abs(vector - alone).max() for vector in results[1:]) < 1e-4

    async def test_a_text_beyond_the_models_reach_has_a_vector(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(["word " * (embedder.max_tokens * 4)])

        assert float(np.linalg.norm(vectors[0])) == pytest.approx(1.0, abs=1e-4)

    @pytest.mark.parametrize("text", TEXTS)
    def test_the_spans_of_tokens_ascend_and_lie_within_the_text(
        self, embedder: Embedder, text: str
    ) -> None:
        spans = embedder.token_spans(text)

        assert list(spans) == sorted(spans)
        assert all(0 <= start < end <= len(text) for start, end in spans)

    def test_the_spans_hold_every_letter_and_digit(self, embedder: Embedder) -> None:
        text = "Refunds (within 7 days) go to Zürich,\n\nsee E1042."
        spans = embedder.token_spans(text)

        held = {place for start, end in spans for place in range(start, end)}
        assert {place for place, char in enumerate(text) if char.isalnum()} <= held

    def test_the_spans_reach_the_end_of_a_text_of_any_length(self, embedder: Embedder) -> None:
        text = "word " * 5000
        spans = embedder.token_spans(text)

        assert len(spans) >= 5000
        assert spans[-1][1] == len(text.rstrip())

    def test_the_model_is_identified(self, embedder: Embedder) -> None:
        assert embedder.digest
        assert embedder.dimension > 0
        assert embedder.max_tokens > 0
