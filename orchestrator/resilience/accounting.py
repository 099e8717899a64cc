"""What a model's answers cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.domain.answers import Usage
from orchestrator.ports.language import Completion, Finish, LanguageModel, Purpose
from orchestrator.resilience.relaying import relayed


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

    `used` is told of every usage, and what it was for; of a stream that was cut or left, nobody
    knows it.
    """

    def __init__(
        self,
        inner: LanguageModel,
        prices: Prices | None,
        used: Callable[[Usage, Purpose], None],
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

    def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As it is, but for what `Finish` tells."""
        return relayed(self._inner, asked, nullcontext(partial(self._billed, asked.purpose)))

    def _billed(self, purpose: Purpose, finish: Finish) -> Finish:
        cost = self._prices.of(finish.usage) if self._prices else None
        usage = replace(finish.usage, model=self.name, cost=cost)
        self._used(usage, purpose)
        return replace(finish, usage=usage)
