"""What a model's answers cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from orchestrator.domain.answers import Usage
from orchestrator.ports.language import Completion, Finish, LanguageModel


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens that are read, and of a million that are written."""

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """What so many tokens cost."""
        read, written = usage.prompt_tokens, usage.completion_tokens
        return (read * self.prompt + written * self.completion) / 1e6


class Accounted:
    """A `LanguageModel` whose `Finish` names it, and the cost where there are prices.

    `used` is told of every usage; of a stream that was cut or left, nobody knows it.
    """

    def __init__(
        self, inner: LanguageModel, prices: Prices | None, used: Callable[[Usage], None]
    ) -> None:
        self._inner = inner
        self._prices = prices
        self._used = used

    @property
    def name(self) -> str:
        """As it is."""
        return self._inner.name

    @property
    def window(self) -> int:
        """As it is."""
        return self._inner.window

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """As it is."""
        return await self._inner.count(texts)

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is, but for what `Finish` tells."""
        async with aclosing(self._inner.stream(asked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finish):
                    usage = self._billed(piece.usage)
                    self._used(usage)
                    yield replace(piece, usage=usage)
                else:
                    yield piece

    def _billed(self, usage: Usage) -> Usage:
        cost = self._prices.of(usage) if self._prices else None
        return replace(usage, model=self.name, cost=cost)
