"""A model's stream within what guards it: closed with it, whichever way it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TypeAlias

from orchestrator.ports.language import Completion, Finish, LanguageModel

Ending: TypeAlias = Callable[[Finish], Finish]
"""What a guard makes of a model's last word."""


async def relayed(
    inner: LanguageModel, asked: Completion, guard: AbstractAsyncContextManager[Ending]
) -> AsyncGenerator[str | Finish]:
    """What the model says, inside of the guard, and its last word as the guard makes it.

    Closing it closes the model's stream, then leaves the guard.
    """
    async with guard as ended, aclosing(inner.stream(asked)) as pieces:
        async for piece in pieces:
            yield ended(piece) if isinstance(piece, Finish) else piece
