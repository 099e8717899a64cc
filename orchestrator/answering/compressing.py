"""Compression by extraction: the sentences of a passage that matter to a question, verbatim."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Final

from orchestrator.domain.passages import Passage
from orchestrator.domain.text import Span, sentences

LEFT_OUT: Final = " … "
"""Stands where sentences are left out."""
STEM: Final = 5
"""Words are compared by so many first letters: refund, refunds, refunded."""
_WORD: Final = re.compile(r"\w+")


class Compression:
    """What matters to a question, among all the passages that were found for it.

    A sentence is worth the words of the question that it has, the rarer in the passages the more.
    """

    def __init__(self, question: str, passages: Sequence[Passage]) -> None:
        self._question = question
        self._passages = passages

    @cached_property
    def _weights(self) -> Mapping[str, float]:
        texts = [one.chunk.text for one in self._passages]
        said = [_words(text[start:end]) for text in texts for start, end in sentences(text)]
        found = Counter(word for words in said for word in words)
        return {
            word: math.log(1 + (len(said) - found[word] + 0.5) / (found[word] + 0.5))
            for word in _words(self._question)
        }

    def of(self, passage: Passage, share: float) -> Passage | None:
        """The sentences worth most, in at most so large a share of its text; None: not one fits."""
        chunk = passage.chunk
        room, kept = share * len(chunk.text), list[Span]()
        for start, end in self._ranked(chunk.text):
            if end - start + len(LEFT_OUT) <= room:
                kept.append((start, end))
                room -= end - start + len(LEFT_OUT)
        if not kept:
            return None
        kept.sort()
        given = replace(
            chunk,
            text=_joined(chunk.text, kept),
            start=chunk.start + kept[0][0],
            end=chunk.start + kept[-1][1],
        )
        return replace(passage, chunk=given)

    def _ranked(self, text: str) -> list[Span]:
        """Sentences that have words of the question, best first; where none has, all in order."""
        worth = {span: self._worth(text[slice(*span)]) for span in sentences(text)}
        ranked = sorted(worth, key=lambda span: (-worth[span], span))
        return [span for span in ranked if worth[span] > 0] or ranked

    def _worth(self, sentence: str) -> float:
        return sum(self._weights.get(word, 0.0) for word in _words(sentence))


def _joined(text: str, spans: Sequence[Span]) -> str:
    """The spans, with white space as it was between those that stood side by side."""
    told = text[slice(*spans[0])]
    for (_, end), (start, last) in pairwise(spans):
        between = text[end:start]
        told += (between if between.isspace() else LEFT_OUT) + text[start:last]
    return told


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold()[:STEM] for word in _WORD.findall(text))
