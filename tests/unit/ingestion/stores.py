"""Stores to purge, which can be down, and a library that only notes what is asked of it."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.domain.errors import Unavailable
from orchestrator.domain.reindexing import Reindexing


class Store:
    """A cache and a family of indexes in one; `down` is why it does not answer."""

    def __init__(self) -> None:
        self.purged: list[str] = []
        self.pruned: list[str] = []
        self.dropped: list[str] = []
        self.down = ""

    async def purge(self, workspace: str) -> None:
        self._answers()
        self.purged.append(workspace)

    async def prune(self, workspace: str) -> None:
        self._answers()
        self.pruned.append(workspace)

    async def drop(self, workspace: str) -> None:
        self._answers()
        self.dropped.append(workspace)

    def _answers(self) -> None:
        if self.down:
            raise Unavailable("the store", self.down)


class FakeLibrary:
    """Every workspace is open, and at `revision`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.settled: list[str] = []
        self.closed: list[str] = []
        self.saves = 0
        self.revision = 10**6
        self.persists = True
        self.down = ""
        self.broken: dict[str, Exception] = {}
        self.gate: asyncio.Event | None = None

    async def prepare(self, _name: str, one: Reindexing) -> None:
        self.asked.append(f"prepare {one.id}")

    async def settle(self, name: str) -> None:
        self.asked.append("settle")
        if name in self.broken:
            raise self.broken[name]
        if self.down:
            raise Unavailable("the indexes", self.down)
        if self.gate:
            await self.gate.wait()
        self.settled.append(name)

    async def shelf(self, _name: str) -> Any:
        return self

    async def save(self) -> None:
        self.saves += 1

    async def close_workspace(self, uid: str) -> None:
        self.closed.append(uid)
