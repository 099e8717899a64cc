"""Parsing in processes that can do nothing else, and of which any may die."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from adapters.parser.cell import Cell, Gone, Killed, start
from adapters.parser.frames import Order
from adapters.parser.limits import Limits
from adapters.parser.lockdown import reachable
from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.ports.parser import Isolation, Progress, unheard

TRIES: Final = 3


class ParserSandbox:
    """`orchestrator.ports.parser.Parsers`: `processes` at most, each with one document.

    A process is started when it is first needed, or by `warm`; one that dies, or has done enough,
    is replaced at once.
    """

    def __init__(self, order: Order, limits: Limits, *, processes: int, minimum: Isolation) -> None:
        self._registry = ParserRegistry()
        self._order = order
        self._limits = limits
        self.processes = processes
        self._minimum = minimum
        self._turns = asyncio.Semaphore(processes)
        self._idle: list[Cell] = []
        self._starting: list[asyncio.Task[Cell]] = []
        self._failure: Unavailable | None = None

    def sniff(self, head: bytes, filename: str) -> str:
        """As the registry does: it looks at bytes, and runs no parser."""
        return self._registry.sniff(head, filename)

    async def parse(
        self, file: Path, media_type: str, *, progress: Progress = unheard
    ) -> ParsedDocument:
        """Hand the open file to a process; cancelling this kills the process."""
        try:
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable("the file", error.strerror or "it cannot be opened") from error
        try:
            async with self._turns:
                return await self._parse(descriptor, media_type, progress)
        finally:
            os.close(descriptor)

    async def isolation(self) -> Isolation:
        """The level that a process has reached.

        Raises:
            Unavailable: when none can be started.
        """
        async with self._turns:
            cell = await self._take()
            self._idle.append(cell)
            return cell.isolation

    def warm(self) -> None:
        """Begin to start every process, in the background."""
        while len(self._idle) + len(self._starting) < self.processes:
            self._starting.append(asyncio.create_task(self._start()))

    async def ping(self) -> None:
        """Say whether the last process that was needed could be started."""
        if self._failure:
            raise self._failure

    async def close(self) -> None:
        """End every process."""
        for task in self._starting:
            task.cancel()
        found = await asyncio.gather(*self._starting, return_exceptions=True)
        cells = [*self._idle, *(one for one in found if isinstance(one, Cell))]
        await asyncio.gather(*(cell.end() for cell in cells))

    async def _parse(self, descriptor: int, media_type: str, progress: Progress) -> ParsedDocument:
        ended: Unavailable | Killed = Unavailable(
            "the parser", "its processes end before they are asked"
        )
        for _ in range(TRIES):
            cell = await self._take()
            os.lseek(descriptor, 0, os.SEEK_SET)  # as far as another has read, if any
            try:
                return await cell.read(descriptor, media_type, self._limits, progress)
            except Gone:  # between two documents: this one is not to blame
                cell.spent = True
            except Killed as error:  # this one may be, if it happens every time
                ended = error
            finally:
                await self._put_back(cell)
        raise ended

    async def _take(self) -> Cell:
        if self._idle:
            return self._idle.pop()
        task = self._starting.pop(0) if self._starting else asyncio.create_task(self._start())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._starting.append(task)  # whoever comes next gets it
            raise

    async def _put_back(self, cell: Cell) -> None:
        if not cell.spent:
            self._idle.append(cell)
            return
        self._starting.append(asyncio.create_task(self._start()))
        await cell.end()

    async def _start(self) -> Cell:
        try:
            cell = await self._isolated(await start(self._order))
        except Unavailable as error:
            self._failure = error
            raise
        self._failure = None
        return cell

    async def _isolated(self, cell: Cell) -> Cell:
        if cell.isolation.rank < self._minimum.rank:
            await cell.end()
            raise Unavailable("the parser", _below(cell.isolation, self._minimum))
        return cell


@asynccontextmanager
async def open_sandbox(
    order: Order, limits: Limits, *, processes: int, minimum: Isolation
) -> AsyncIterator[ParserSandbox]:
    """The pool, with no process yet; every one is ended at the end.

    Raises:
        Misconfigured: when the kernel offers less isolation than the minimum.
    """
    if (offered := reachable()).rank < minimum.rank:
        raise Misconfigured(_below(offered, minimum))
    sandbox = ParserSandbox(order, limits, processes=processes, minimum=minimum)
    try:
        yield sandbox
    finally:
        await sandbox.close()


def _below(reached: Isolation, minimum: Isolation) -> str:
    return (
        f"parsers would run with isolation '{reached}' ({reached.sentence}), and "
        f"parsing.minimum_isolation is '{minimum}'"
    )
