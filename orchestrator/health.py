"""What is up, and what is down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.domain.errors import Unavailable
from orchestrator.indexing.library import Library
from orchestrator.ports.cache import Cache
from orchestrator.ports.health import Pingable

PATIENCE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """The state of each dependency: `up`, or why it is down.

    `ready` while every dependency that an answer cannot do without is up.
    """

    states: Mapping[str, str]
    ready: bool

    @property
    def down(self) -> list[str]:
        """The names of what is down."""
        return [name for name, state in self.states.items() if state != "up"]


class Health:
    """Asks every dependency that has a server or a disk behind it.

    `further` are those that no answer needs.
    """

    def __init__(
        self,
        catalog: Pingable,
        blobs: Pingable,
        caches: Mapping[str, Cache],
        library: Library,
        further: Mapping[str, object] | None = None,
    ) -> None:
        self._needed: Mapping[str, object] = {"catalog": catalog, "blobs": blobs}
        self._optional: dict[str, object] = {
            "cache" if name == "default" else f"cache:{name}": cache
            for name, cache in caches.items()
        } | dict(further or {})
        self._library = library
        self._tasks: Mapping[str, asyncio.Task[None]] = {}

    def watch(self, tasks: Mapping[str, asyncio.Task[None]], **further: Pingable) -> None:
        """Report background work that has ended, as it never should; and ask further parts."""
        self._tasks = tasks
        self._optional |= further

    async def report(self) -> Report:
        """Ask all of them now."""
        needed = {name: await _state(one) for name, one in self._needed.items()}
        needed |= {f"index:{name}": "no longer follows" for name in self._library.stalled()}
        needed |= {name: "has stopped" for name, task in self._tasks.items() if task.done()}
        optional = {name: await _state(one) for name, one in self._optional.items()}
        return Report({**needed, **optional}, all(state == "up" for state in needed.values()))


async def _state(part: object) -> str:
    if not isinstance(part, Pingable):
        return "up"
    try:
        async with asyncio.timeout(PATIENCE_S):
            await part.ping()
    except Unavailable as error:
        return f"down: {error.detail}"
    except TimeoutError:
        return f"down: it does not answer within {PATIENCE_S:g} s"
    return "up"
