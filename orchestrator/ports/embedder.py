"""The embedding model."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.ports.arrays import Vector, Vectors


class Embedder(Protocol):
    """Texts to unit vectors; the same text always gives the same vector.

    `digest` identifies the model's weights, so that vectors of two models never meet;
    `max_tokens` is what one text may hold before it is truncated.
    """

    digest: str
    dimension: int
    max_tokens: int

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The texts' vectors, `[len(texts), dimension]`, in order."""
        ...

    async def embed_query(self, text: str) -> Vector:
        """The vector, `[dimension]`, of a question; may differ from a passage's for some models."""
        ...

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """The character span of each token of the text, ascending, without special tokens."""
        ...
