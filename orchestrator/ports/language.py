"""Language models: what was said so far to what is said next."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from orchestrator.domain.answers import FinishReason, Usage

Role: TypeAlias = Literal["system", "user", "assistant"]
Purpose: TypeAlias = Literal["answer", "rewrite", "verify"]
"""What a completion is for: accounts tell them apart."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something said, and by whom."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model is asked for: at most `max_tokens`, cut before any of `stop`.

    With `schema`, the text is JSON that this JSON Schema allows, where the server can see to it.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    purpose: Purpose = "answer"


@dataclass(frozen=True, slots=True)
class Finish:
    """A model's last word: why it ended, and what it cost.

    Where the server tells no usage, tokens are counted as `LanguageModel.count` counts them.
    """

    reason: FinishReason
    usage: Usage


class LanguageModel(Protocol):
    """One model on one server."""

    @property
    def name(self) -> str:
        """The model, as its server calls it."""
        ...

    @property
    def window(self) -> int:
        """The most tokens of prompt and answer together."""
        ...

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """How many tokens each text has: exactly where the tokeniser is at hand, else too many.

        Raises:
            Unavailable: when a server must be asked and does not answer.
        """
        ...

    def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """The text in pieces, none of them empty, then exactly one `Finish`.

        Closing the generator ends the request at the server, at once.

        Raises:
            Unavailable: when the server fails, hangs, or says what is no completion; `retry_after`
                is what it asked for. Text may have come before.
            Exhausted: when it has too much to do, with `retry_after` in seconds.
            TooLarge: when prompt and answer do not fit into the window.
            Misconfigured: when the server knows no such model, or refuses the key.
        """
        ...
