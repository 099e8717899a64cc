"""How long a model's server may be silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.domain.errors import Unavailable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection, until the first token, and from each token to the next."""

    connect_s: float
    first_token_s: float
    idle_s: float


class Waiting:
    """The patience of one request: only the time in which its server is waited for counts."""

    def __init__(self, server: str, patience: Patience) -> None:
        self._server = server
        self._idle_s = patience.idle_s
        self._whole_s = self._left_s = patience.first_token_s

    def heard(self) -> None:
        """A token came: the time until the next one begins."""
        self._whole_s = self._left_s = self._idle_s

    async def of(self, work: Awaitable[Result]) -> Result:
        """The result, if it comes in what time is left.

        Raises:
            Unavailable: if it does not.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left_s):
                return await work
        except TimeoutError as error:
            raise Unavailable(self._server, f"no token within {self._whole_s:g} s") from error
        finally:
            self._left_s -= clock() - began
