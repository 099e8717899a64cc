"""A language model that says what it is told to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Literal

from orchestrator.domain.answers import Usage
from orchestrator.ports.language import Completion, Finish


class Scripted:
    """`orchestrator.ports.language.LanguageModel`; it counts words."""

    name = "scripted"

    def __init__(
        self,
        *pieces: str,
        reason: Literal["stop", "length", "content_filter"] = "stop",
        window: int = 8_000,
    ) -> None:
        self.pieces = pieces
        self.reason = reason
        self.window = window
        self.asked: list[Completion] = []
        self.uncounted: Exception | None = None
        self.counting: asyncio.Event | None = None
        self.closed = 0

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """Words, if it can count."""
        if self.counting:
            await self.counting.wait()
        if self.uncounted:
            raise self.uncounted
        return [len(text.split()) for text in texts]

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """The pieces."""
        self.asked.append(asked)
        try:
            for piece in self.pieces:
                yield piece
            yield Finish(self.reason, Usage(40, 7))
        finally:
            self.closed += 1
