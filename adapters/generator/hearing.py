"""What is heard of one answer: its pieces as they come, and at the end why it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias, TypeGuard

import httpx

from adapters.generator.events import Events
from adapters.generator.waiting import Waiting
from orchestrator.domain.answers import FinishReason, Usage
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.language import Completion, Finish

Count: TypeAlias = Callable[[Sequence[str]], Awaitable[Sequence[int]]]
REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
MOST_TOKENS: Final = 1_000_000_000
"""No answer costs more: whoever says so is wrong."""
DRAIN_S: Final = 0.1
"""For a response to end after its last event; only then is its connection used again."""


class Hearing:
    """Of one answer of `server`: the texts, why it ended, and what it cost."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.reason: FinishReason | None = None
        self.usage: Usage | None = None
        self._texts: list[str] = []

    @property
    def said(self) -> str:
        """All text so far."""
        return "".join(self._texts)

    def text(self, piece: str | None) -> str:
        """A piece, kept to be counted if need be."""
        if piece:
            self._texts.append(piece)
        return piece or ""

    def ended(self, why: str) -> None:
        """The server's word for the end.

        Raises:
            Unavailable: if it is none that stands for an answer.
        """
        if why not in REASONS:
            raise Unavailable(self.server, "it gave up the answer")
        self.reason = REASONS[why]

    def cost(self, read: object, written: object) -> None:
        """The tokens that the server says were read and written; what is no count is not heard."""
        if _is_count(read) and _is_count(written):
            self.usage = Usage(read, written)

    async def finish(self, asked: Completion, count: Count) -> Finish:
        """The last word, the cost counted where the server did not tell it.

        Raises:
            Unavailable: if the answer just stopped.
        """
        if self.reason is None:
            raise Unavailable(self.server, "its answer ended before it was whole")
        if self.usage is None:
            prompt = [message.text for message in asked.messages]
            *read, written = await count([*prompt, self.said])
            self.usage = Usage(sum(read), written)
        return Finish(self.reason, self.usage)


def _is_count(told: object) -> TypeGuard[int]:
    return isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= MOST_TOKENS


async def pieces(
    received: AsyncIterator[bytes], waiting: Waiting, hear: Callable[[bytes], str | None]
) -> AsyncGenerator[str]:
    """The texts in a response of server-sent events; `hear` says None at the last event.

    What came at once is one piece: a reader who is behind catches up.
    """
    events = Events()
    while some := await waiting.of(anext(received, b"")):
        said, ended = "", False
        try:
            for event in events.feed(some):
                if (text := hear(event)) is None:
                    ended = True
                    break
                said += text
        finally:  # where an event is an error, too
            if said:
                waiting.heard()
                yield said
        if ended:
            await _drain(received)
            return


async def _drain(received: AsyncIterator[bytes]) -> None:
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(DRAIN_S):
            async for _ in received:
                pass
