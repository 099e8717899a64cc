"""Handing documents over while there is room for them, and following each to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, TypeVar, cast

from orchestrator.cli.outcomes import Summary
from orchestrator.cli.progress import Display
from orchestrator.cli.sources import Source, reader_of
from orchestrator.domain.documents import Status, Upload
from orchestrator.domain.errors import Conflict, Exhausted, Rejected, Unavailable, Unsupported
from orchestrator.ports.archives import Archives, Entry
from orchestrator.wiring import Application

Result = TypeVar("Result")

FOLLOWED: Final = 500
"""So many documents at most are on their way and not yet at their end."""
CREDIT: Final = 16
"""So many documents are handed over before the queue is asked for room again."""
LOOK_S: Final = 0.25
PATIENCE_S: Final = 60.0
"""So long a dependency may be away before the command gives up."""


class Handing:
    """One call's documents on their way into a workspace."""

    def __init__(
        self,
        application: Application,
        workspace: str,
        archives: Sequence[Archives],
        summary: Summary,
        display: Display,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._application = application
        self._workspace = workspace
        self._archives = archives
        self._summary = summary
        self._display = display
        self._patience_s = patience_s
        self._waiting: dict[str, Source] = {}
        self._following: asyncio.Task[None]
        self._credit = 0

    async def run(self, sources: Iterable[Source]) -> None:
        """Bring every document to its end.

        Raises:
            Unavailable: when a dependency stays away.
            NotFound: when the workspace was deleted meanwhile.
        """
        self._following = asyncio.create_task(self._follow())
        try:
            for archive, group in groupby(sources, key=lambda one: one.path if one.entry else None):
                if archive:
                    await self._archive(archive, list(group))
                    continue
                for source in group:
                    await self._file(source)
            while self._waiting:
                await self._pause()
        finally:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _file(self, source: Source) -> None:
        try:
            content = source.path.open("rb")
        except OSError as error:
            self._fail(source, error.strerror or str(error))
            return
        with content:
            await self._submit(source, content)

    async def _archive(self, archive: Path, sources: Sequence[Source]) -> None:
        """Those entries of an archive, in its order, in one pass."""
        reader = reader_of(archive, self._archives)
        assert reader
        wanted = {source.entry: source for source in sources}
        reason = "it is no longer in the archive"
        try:
            with closing(reader.walk(archive)) as walk:
                while wanted and (entry := await _on_thread(lambda: next(walk, None))):
                    if source := wanted.pop(entry.path, None):
                        await self._entry(source, entry)
        except (OSError, Unsupported) as error:
            reason = str(error)
        for source in wanted.values():
            self._fail(source, reason)

    async def _entry(self, source: Source, entry: Entry) -> None:
        with TemporaryFile() as file:
            content = cast("BinaryIO", file)
            try:
                await _on_thread(lambda: entry.copy(content))
            except Unsupported as error:
                self._fail(source, error.detail)
            except OSError as error:
                self._fail(source, error.strerror or str(error))
            else:
                await self._submit(source, content)

    async def _submit(self, source: Source, content: BinaryIO) -> None:
        upload = Upload(
            source.source_id,
            content,
            source.filename,
            title=source.said.title,
            metadata=source.said.metadata,
            acl=source.said.acl,
        )
        submit = self._application.ingestion.submit
        await self._room()
        try:
            registered = await self._patiently(lambda: submit(self._workspace, upload))
        except (Rejected, Exhausted, Conflict) as error:
            self._fail(source, error.detail)
            return
        except OSError as error:  # the file's own: stores translate theirs
            self._fail(source, error.strerror or str(error))
            return
        if registered.duplicate and registered.document.status is Status.INDEXED:
            self._summary.leave(source.size)
            self._display.advance(source.size)
        else:
            self._waiting[registered.document.id] = source

    async def _room(self) -> None:
        """Wait until one document more may wait, here and in the queue."""
        while len(self._waiting) >= FOLLOWED or await self._patiently(self._full):
            await self._pause()

    async def _full(self) -> bool:
        if self._credit:
            self._credit -= 1
            return False
        try:
            await self._application.intake.admit()
        except Exhausted:
            return True
        self._credit = CREDIT - 1
        return False

    async def _pause(self) -> None:
        """A moment; whatever ended the following is raised."""
        done, _ = await asyncio.wait({self._following}, timeout=LOOK_S)
        if done:
            await self._following

    async def _follow(self) -> None:
        while True:
            await self._look()
            self._display.tick()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        """Note which documents came to their end."""
        if not self._waiting:
            return
        documents, ids = self._application.catalog.documents, list(self._waiting)
        ended = await self._patiently(lambda: documents.outcomes(ids))
        for document_id, reason in ended.items():
            if reason:
                self._fail(self._waiting.pop(document_id), reason)
                continue
            document = await self._patiently(partial(documents.get, document_id))
            source = self._waiting.pop(document_id)  # when none waits, this is cancelled
            warnings = document.reading.warnings if document.reading else ()
            self._summary.index(source.source_id, source.size, warnings)
            self._display.advance(source.size)

    def _fail(self, source: Source, reason: str) -> None:
        self._summary.fail(source.source_id, reason, source.size)
        self._display.advance(source.size)

    async def _patiently(self, act: Callable[[], Awaitable[Result]]) -> Result:
        """Again and again while a dependency is away, until patience ends."""
        ends = time.monotonic() + self._patience_s
        while True:
            try:
                return await act()
            except Unavailable as error:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(error.retry_after or LOOK_S)


async def _on_thread(act: Callable[[], Result]) -> Result:
    """Like `to_thread`, but a cancellation waits: what it works on is about to be closed."""
    work = asyncio.create_task(asyncio.to_thread(act))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise
