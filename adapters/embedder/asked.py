"""The vectors of the last questions: several stages of one request ask for the same one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from orchestrator.ports.arrays import Vector

REMEMBERED: Final = 256


class Asked:
    """At most `REMEMBERED` vectors by their text, the last ones asked for."""

    def __init__(self) -> None:
        self._vectors: dict[str, Vector] = {}

    async def vector(self, text: str, embed: Callable[[str], Awaitable[Vector]]) -> Vector:
        """What is remembered, else what `embed` makes of the text."""
        vector = self._vectors.pop(text, None)
        if vector is None:
            vector = await embed(text)
        self._vectors[text] = vector
        if len(self._vectors) > REMEMBERED:
            del self._vectors[next(iter(self._vectors))]
        return vector
