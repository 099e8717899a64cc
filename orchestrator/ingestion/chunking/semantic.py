"""Chunks between shifts of topic, which the embedding model sees where neighbours differ.

The rule is TextTiling's (Hearst, Computational Linguistics 1997), with embeddings of sentences in
place of counts of words: a shift is a valley of similarity deeper than most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain.text import sentences
from orchestrator.ingestion.chunking.packing import packed, parts
from orchestrator.ingestion.chunking.source import Cut, Source
from orchestrator.ports.arrays import Vectors
from orchestrator.ports.embedder import Embedder

Floats: TypeAlias = NDArray[np.float32]

NONE: Final[Floats] = np.empty(0, np.float32)
BATCH: Final = 1024
"""So many sentences are embedded at once."""

WINDOW: Final = 3
"""So many sentences before a place are compared with as many after it."""
SHALLOW: Final = 1e-3
"""A depth that may come of the company in which a sentence was embedded."""


def semantic(source: Source, shifts: Sequence[int]) -> Iterator[Cut]:
    """`Strategy`, given where the topic shifts: between two shifts, sentences as many as fit."""
    context = source.context()
    capacity = source.capacity(context)
    for first, last in pairwise([0, *shifts, len(source.text)]):
        units = parts(source, first, last, capacity, (sentences,))
        for span in packed(source, units, capacity):
            yield source.cut(span, source.section(span[0]), context)


async def topic_shifts(text: str, embedder: Embedder) -> Sequence[int]:
    """The beginnings of the sentences that change the topic; very long texts take several batches.

    Only similarities are kept, so that memory does not grow with the vectors of a long text.
    """
    spans = await asyncio.to_thread(sentences, text)
    similar, tail = list[Floats](), np.empty((0, embedder.dimension), np.float32)
    for at in range(0, len(spans), BATCH):
        batch = [text[start:end] for start, end in spans[at : at + BATCH]]
        vectors = np.concatenate([tail, await embedder.embed(batch)])
        similar.append(_similarities(vectors))
        tail = vectors[1 - 2 * WINDOW :]
    return [spans[at + WINDOW][0] for at in _valleys(np.concatenate([*similar, NONE]))]


def _similarities(vectors: Vectors) -> Floats:
    """The cosine of the windows on both sides of each place that has two whole ones."""
    if len(vectors) < 2 * WINDOW:
        return NONE
    stop = len(vectors) - WINDOW + 1
    windows = np.add.reduce([vectors[at : at + stop] for at in range(WINDOW)])
    windows /= np.maximum(np.linalg.norm(windows, axis=1, keepdims=True), 1e-9)
    cosines: Floats = np.einsum("ij,ij->i", windows[:-WINDOW], windows[WINDOW:])
    return cosines


def _valleys(similar: Floats) -> list[int]:
    """Where similarity is lowest, and deeper than the mean by more than the standard deviation."""
    if not len(similar):
        return []
    depths = _peaks(similar) + _peaks(similar[::-1])[::-1] - 2 * similar
    beside = np.pad(similar, 1, constant_values=np.inf)
    valley = (similar <= beside[:-2]) & (similar < beside[2:])
    deep = depths > max(SHALLOW, depths.mean() + depths.std())
    return np.flatnonzero(valley & deep).tolist()


def _peaks(similar: Floats) -> Floats:
    """How high one climbs to the left of each place before it goes down again."""
    peaks = similar.copy()
    for at in range(1, len(similar)):
        if similar[at - 1] >= similar[at]:
            peaks[at] = peaks[at - 1]
    return peaks
