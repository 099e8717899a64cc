"""A generator for tests and demonstrations: a template around the best passage's first sentence."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from orchestrator.domain.answers import NOT_FOUND, Outcome, Query, Token, Usage
from orchestrator.domain.passages import Passage
from orchestrator.domain.text import quotable, sentences, without_markers


class MockGenerator:
    """`orchestrator.ports.generator.Generator` that always answers from its first passage."""

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """`<first sentence> [1]`, in two pieces; nothing to quote is nothing to answer."""
        if not passages:
            yield Token(NOT_FOUND)
            yield Outcome(answerable=False)
            return
        text = passages[0].chunk.text
        start, end = sentences(text)[0]
        quote = without_markers(quotable(text[start:end]))
        yield Token(quote)
        yield Token(" [1]")
        yield Outcome(answerable=True, usage=Usage(completion_tokens=len(quote.split())))
