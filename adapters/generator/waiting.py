"""How long a model's server may be silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Self, TypeVar

from orchestrator.domain.deadlines import Deadline
from orchestrator.domain.errors import Unavailable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a connection, until the first token, and from each token to the next."""

    connect_s: float
    first_token_s: float
    idle_s: float


class Waiting:
    """The patience of one request, within a `with`.

    Only the time in which its server is waited for counts.
    """

    def __init__(self, server: str, patience: Patience) -> None:
        self._server = server
        self._idle_s = patience.idle_s
        self._whole_s = self._left_s = patience.first_token_s
        self._clock = asyncio.get_running_loop().time
        self._deadline = Deadline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._deadline.close()

    def heard(self) -> None:
        """A token came: the time until the next one begins."""
        self._whole_s = self._left_s = self._idle_s

    async def of(self, work: Awaitable[Result]) -> Result:
        """The result, if it comes in what time is left.

        Raises:
            Unavailable: if it does not.
        """
        began = self._clock()
        try:
            with self._deadline.by(began + self._left_s):
                return await work
        except TimeoutError as error:
            raise Unavailable(self._server, f"no token within {self._whole_s:g} s") from error
        finally:
            self._left_s -= self._clock() - began
