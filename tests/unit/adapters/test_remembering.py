"""Sentences that come again are not embedded again, and little is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.generator.remembering import RememberedSentences


class Counted:
    def __init__(self):
        self.asked = []
        self._inner = MockEmbedder()

    async def embed(self, texts):
        self.asked.append(list(texts))
        return await self._inner.embed(texts)


@pytest.fixture
def embedder():
    return Counted()


async def test_only_what_is_new_is_embedded(embedder):
    sentences = RememberedSentences(embedder)

    await sentences.embed(["one", "two"])
    found = await sentences.embed(["two", "three", "two", "one"])

    assert embedder.asked == [["one", "two"], ["three"]]
    assert np.array_equal(found, await MockEmbedder().embed(["two", "three", "two", "one"]))


async def test_the_last_ones_asked_for_are_kept(embedder):
    sentences = RememberedSentences(embedder, most=2)

    for texts in (["one", "two"], ["one"], ["three"], ["one"], ["two"]):
        await sentences.embed(texts)

    assert embedder.asked == [["one", "two"], ["three"], ["two"]]


async def test_more_than_are_kept_can_be_asked_for_at_once(embedder):
    found = await RememberedSentences(embedder, most=1).embed(["one", "two", "three"])

    assert np.array_equal(found, await MockEmbedder().embed(["one", "two", "three"]))
