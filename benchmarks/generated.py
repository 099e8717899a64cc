"""A generated collection: Zipf-distributed words, clustered vectors; the same for the same seed.

Topics are directions; a document leans toward one, and each of its chunks away from the document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOPICS = 1_000
VOCABULARY = 100_000
ZIPF = 1.05
WORDS = 100
SHARES = (1, 10, 100, 500)
"""Of a thousand: what the filters of the benchmark keep."""


@dataclass(frozen=True, slots=True)
class Generated:
    """A document: its number, its chunks' texts and vectors, and metadata to filter by."""

    number: int
    texts: list[str]
    vectors: npt.NDArray[np.float32]
    metadata: dict[str, int | str]


class Collection:
    """Documents of `per_document` chunks with vectors of `dimension`."""

    def __init__(self, *, dimension: int = 384, per_document: int = 50, seed: int = 7) -> None:
        self._dimension = dimension
        self.per_document = per_document
        self._seed = seed
        random = np.random.default_rng(seed)
        self._words = _words(random)
        chances = 1 / np.arange(1, VOCABULARY + 1) ** ZIPF
        self._below = np.cumsum(chances / chances.sum())
        self._topics = _unit(random.standard_normal((TOPICS, dimension)))

    def documents(self, first: int, count: int) -> Iterator[Generated]:
        """Documents by number, each made from its own number alone."""
        for number in range(first, first + count):
            random = np.random.default_rng((self._seed, number))
            topic = int(random.integers(TOPICS))
            centre = self._topics[topic] + 0.5 * self._noise(random, 1)
            yield Generated(
                number,
                [self.text(random) for _ in range(self.per_document)],
                _unit(centre + 0.6 * self._noise(random, self.per_document)),
                {"pick": int(random.integers(1000)), "topic": topic},
            )

    def text(self, random: np.random.Generator, words: int = WORDS) -> str:
        """So many words, drawn by frequency."""
        return " ".join(self._words[np.searchsorted(self._below, random.random(words))])

    def questions(self, count: int) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Six words each, and a vector from near a topic's documents."""
        random = np.random.default_rng((self._seed, 1 << 40))
        topics = self._topics[random.integers(TOPICS, size=count)]
        vectors = _unit(topics + 0.7 * self._noise(random, count))
        return [self.text(random, 6) for _ in range(count)], vectors

    def _noise(self, random: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
        return random.standard_normal((count, self._dimension)) / np.sqrt(self._dimension)


def _words(random: np.random.Generator) -> npt.NDArray[np.str_]:
    """Words of two to five syllables, the short ones not more frequent than the others."""
    starts = "b c d f g h j k l m n p r s t v w z br cl dr gr pl st tr".split()
    syllables = np.array([start + vowel for start in starts for vowel in "aeiou"])
    made: dict[str, None] = {}
    while len(made) < VOCABULARY:
        made["".join(random.choice(syllables, random.integers(2, 6)))] = None
    return np.array(list(made))


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
