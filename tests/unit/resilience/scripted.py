"""Language models and generators that do what a script says, call after call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from orchestrator.domain.answers import Outcome, Token, Usage
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.language import Completion, Finish, Message

ASKED = Completion((Message("user", "When are refunds paid?"),), max_tokens=50)
USAGE = Usage(prompt_tokens=2_000, completion_tokens=500)
FINISH = Finish("stop", USAGE)
WELL: Sequence[Any] = ("Refunds ", "are ", "paid.", FINISH)
DOWN = Unavailable("the server", "connection refused")


class Scripted:
    """A `LanguageModel`; a script's numbers are seconds, its errors are raised.

    The last script is followed by every further call. `open` are the calls under way.
    """

    name = "scripted"
    window = 4_096

    def __init__(self, *scripts: Sequence[Any]) -> None:
        self.scripts = scripts or (WELL,)
        self.calls = 0
        self.open = 0
        self.counted = 0

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        self.counted += 1
        return [len(text.split()) for text in texts]

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        self.open += 1
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.open -= 1


class Saying:
    """A `Generator`: words are tokens, errors are raised; the outcome comes by itself."""

    def __init__(self, *steps: Any, outcome: Outcome | None = None) -> None:
        self.steps = steps
        self.outcome = outcome or Outcome(answerable=True)
        self.calls = 0
        self.open = 0

    async def generate(self, *_: Any) -> AsyncGenerator[Token | Outcome]:
        self.calls += 1
        self.open += 1
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                await asyncio.sleep(0)
                yield Token(step)
            yield self.outcome
        finally:
            self.open -= 1


async def said(model: Any) -> list[Any]:
    """All that a model says, or its error as the last piece."""
    pieces: list[Any] = []
    try:
        async for piece in model.stream(ASKED):
            pieces.append(piece)  # noqa: PERF401  # what came before an error counts
    except Exception as error:
        pieces.append(error)
    return pieces
