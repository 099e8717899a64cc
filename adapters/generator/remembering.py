"""Vectors of sentences that were compared with a question lately: the same passages come again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from orchestrator.ports.arrays import Vector, Vectors
from orchestrator.ports.embedder import Embedder

REMEMBERED: Final = 8_192
"""12 MB of vectors of 384 dimensions."""


class RememberedSentences:
    """At most `most` vectors, the last ones asked for, by a hash: no text is kept."""

    def __init__(self, embedder: Embedder, *, most: int = REMEMBERED) -> None:
        self._embedder = embedder
        self._most = most
        self._vectors: dict[bytes, Vector] = {}

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of all; those that are not remembered are made.

        Raises:
            Unavailable: when the embedder does not answer.
        """
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        found = {key: self._vectors[key] for key in keys if key in self._vectors}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            made = await self._embedder.embed(list(new.values()))
            found |= {key: vector.copy() for key, vector in zip(new, made, strict=True)}
        for key, vector in found.items():
            self._vectors.pop(key, None)
            self._vectors[key] = vector
        while len(self._vectors) > self._most:
            del self._vectors[next(iter(self._vectors))]
        return np.stack([found[key] for key in keys])
