"""An embedder without a model: words hashed into a vector. For tests and the mock profile."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from adapters.analysis import WORD, terms
from orchestrator.ports.arrays import Vector, Vectors

DIMENSION: Final = 256


class MockEmbedder:
    """`orchestrator.ports.embedder.Embedder` by feature hashing: shared words are likeness."""

    def __init__(self) -> None:
        self.digest = "mock-hashing-1"
        self.dimension = DIMENSION
        self.max_tokens = 256

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Hash each text."""
        if not texts:
            return np.empty((0, DIMENSION), np.float32)
        return np.stack([hashed(text) for text in texts])

    async def embed_query(self, text: str) -> Vector:
        """Hash the text."""
        return hashed(text)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """A token is a word."""
        return [word.span() for word in WORD.finditer(text)]


def hashed(text: str) -> Vector:
    """The unit vector of the text's words; of none, always the same."""
    vector = np.zeros(DIMENSION, np.float32)
    for term in terms(text):
        code = zlib.crc32(term.encode())
        vector[code % DIMENSION] += 1.0 if code & 0x8000_0000 else -1.0
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        vector[0] = length = 1.0
    return vector / np.float32(length)
