"""Rewriting by a language model: other wordings, an imagined answer, follow-ups made whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

from orchestrator.answering.delimiting import delimited, fresh_boundary
from orchestrator.answering.prompts import Prompts
from orchestrator.domain.answers import MAX_QUERY_CHARACTERS, Query
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, TooLarge, Unavailable
from orchestrator.domain.text import without_markers
from orchestrator.ports.language import Completion, LanguageModel

LINE_TOKENS: Final = 96
"""A wording is at most so long."""
PASSAGE_TOKENS: Final = 256
MISSING: Final = (Unavailable, Exhausted, TimedOut, Misconfigured, TooLarge)
"""What a language model may fail with that only helps: an answer is made without it."""
_MARK: Final = re.compile(r"\A\s*(?:[-*•]|\d{1,2}[.):])\s+")


class ModelRewriter:
    """`orchestrator.ports.rewriter.Rewriter`, and what conversations need, by a language model."""

    def __init__(
        self,
        model: LanguageModel,
        prompts: Prompts,
        *,
        boundary: Callable[[], str] = fresh_boundary,
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._boundary = boundary

    async def paraphrases(self, query: Query, *, count: int) -> Sequence[str]:
        """One a line; none of them twice, nor the question again."""
        said = await self._said(
            "paraphrase", query, LINE_TOKENS * count, question=query.text, count=str(count)
        )
        lines = (_MARK.sub("", line).strip().strip("\"'“”„«»") for line in said.splitlines())
        known, found = {query.text.casefold()}, list[str]()
        for line in lines:
            if line and line.casefold() not in known:
                known.add(line.casefold())
                found.append(line)
        return found[:count]

    async def imagined(self, query: Query) -> str:
        """A few sentences, without numbers in brackets."""
        said = await self._said("imagine", query, PASSAGE_TOKENS, question=query.text)
        return without_markers(said)

    async def standalone(self, query: Query, history: str) -> str:
        """The question as it can be understood without what was said before; else as it is."""
        said = await self._said(
            "standalone", query, LINE_TOKENS * 2, history=history, question=query.text
        )
        return next(iter(said.splitlines()), query.text)[:MAX_QUERY_CHARACTERS]

    async def summary(self, query: Query, history: str) -> str:
        """What was said before, in a few sentences."""
        return without_markers(
            await self._said("summarise", query, PASSAGE_TOKENS, history=history)
        )

    async def _said(self, task: str, query: Query, max_tokens: int, **values: str) -> str:
        prompt, boundary = self._prompts.newest(task, query.prompting.language), self._boundary()
        blocks = {
            name: text if name == "count" else delimited(name, text, boundary)
            for name, text in values.items()
        }
        messages = prompt.messages(boundary=boundary, **blocks)
        asked = Completion(messages, max_tokens, purpose="rewrite")
        async with aclosing(self._model.stream(asked)) as pieces:
            return "".join([piece async for piece in pieces if isinstance(piece, str)]).strip()
