"""Fakes that are passed in: a catalog in dicts, indexes that are told what to find."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from orchestrator.domain.documents import Chunk
from orchestrator.domain.errors import NotFound, RagError
from orchestrator.domain.identity import EVERYONE
from orchestrator.domain.passages import Hit
from orchestrator.domain.reindexing import Reindexing
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig
from orchestrator.ingestion.worker import Ingested
from orchestrator.ports.catalog import Delta, Rights, Row
from tests.builders import chunk, ids_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def workspace(name: str = "default", **values: Any) -> Workspace:
    """A workspace at revision 0, unless said otherwise."""
    known = {"uid": f"uid of {name}", "revision": 0, "config": WorkspaceConfig()}
    return Workspace(**{**known, "name": name, "config_version": 1, "created_at": NOW, **values})


class FakeCatalog:
    """Workspaces, log and chunks, as the ports of the same names; `down` is raised by every read.

    `reads` counts how often a workspace was read.
    """

    def __init__(self, *known: Workspace) -> None:
        self.known = {one.name: one for one in known}
        self.down: RagError | None = None
        self.reads = 0
        self.texts_read: list[list[int]] = []
        self.reindexed: dict[str, Reindexing] = {}
        self.held_back: set[str] = set()
        self._rows: dict[str, dict[int, Row]] = {}
        self._rights: dict[str, dict[str, tuple[int, Rights]]] = {}
        self._chunks: dict[int, Chunk] = {}

    @property
    def workspaces(self) -> FakeCatalog:
        return self

    log = chunks = reindexings = workspaces

    async def of(self, workspace: str) -> Reindexing | None:
        return self.reindexed.get(workspace)

    async def held(self, workspace: str) -> bool:
        return workspace in self.held_back

    async def get(self, name: str) -> Workspace:
        self.reads += 1
        await asyncio.sleep(0)  # as any read, it lets others run
        self._answers()
        if name not in self.known:
            raise NotFound(f"there is no workspace '{name}'", code="unknown_workspace")
        return self.known[name]

    async def by_uid(self, uid: str) -> Workspace:
        self._answers()
        for one in self.known.values():
            if one.uid == uid:
                return one
        raise NotFound("the workspace is gone", code="unknown_workspace")

    async def revisions(self) -> dict[str, int]:
        self._answers()
        return {one.uid: one.revision for one in self.known.values()}

    async def since(self, workspace: str, revision: int) -> Delta:
        self._answers()
        now = (await self.by_uid(workspace)).revision
        rights = [r for at, r in self._rights.get(workspace, {}).values() if at > revision]
        touched = {one.document_id for one in rights}
        rows = [r for r in self._rows.get(workspace, {}).values() if r.document_id in touched]
        return Delta.of(now, rows, rights)

    async def read(self, ids: Sequence[int]) -> Sequence[Chunk]:
        self._answers()
        self.texts_read.append(list(ids))
        return [self._chunks[one] for one in ids if one in self._chunks]

    def configure(self, name: str, **values: Any) -> None:
        now = self.known[name]
        config = replace(now.config, **values)
        self.known[name] = replace(now, config=config, config_version=now.config_version + 1)

    def publish(
        self, name: str, *texts: str, acl: Sequence[str] = (EVERYONE,), generation: int = 1
    ) -> list[int]:
        """One more document, of these chunks; their ids."""
        revision, uid = self._advance(name)
        first = len(self._chunks) + 1
        ids = list(range(first, first + len(texts)))
        document = f"document-{first}"
        for chunk_id, text in zip(ids, texts, strict=True):
            self._chunks[chunk_id] = replace(chunk(text, chunk_id=chunk_id), document_id=document)
            self._rows.setdefault(uid, {})[chunk_id] = Row(
                chunk_id, document, generation, revision, None
            )
        rights = Rights(document, frozenset(acl), {}, deleted=False)
        self._rights.setdefault(uid, {})[document] = (revision, rights)
        return ids

    def supersede(self, name: str, chunk_id: int) -> None:
        """A newer version of its document takes the chunk's place."""
        revision, uid = self._advance(name)
        row = self._rows[uid][chunk_id]
        self._rows[uid][chunk_id] = replace(row, removed=revision)
        self._rights[uid][row.document_id] = (revision, self._rights[uid][row.document_id][1])

    def delete(self, name: str, chunk_id: int) -> None:
        """Delete the document that holds the chunk, and its chunks."""
        revision, uid = self._advance(name)
        document = self._rows[uid][chunk_id].document_id
        gone = [one for one, row in self._rows[uid].items() if row.document_id == document]
        for one in gone:
            del self._rows[uid][one], self._chunks[one]
        rights = Rights(document, frozenset(), {}, deleted=True)
        self._rights[uid][document] = (revision, rights)

    def _advance(self, name: str) -> tuple[int, str]:
        now = self.known[name]
        self.known[name] = replace(now, revision=now.revision + 1)
        return now.revision + 1, now.uid

    def _answers(self) -> None:
        if self.down:
            raise self.down


class FakeIndex:
    """An index that finds what it was told to, and notes what was asked of it.

    With a `gate`, it applies nothing before the gate is open.
    """

    def __init__(self, *held: int, hits: Sequence[Hit] = ()) -> None:
        self.ids = set(held)
        self.hits = hits
        self.applied: list[tuple[list[int], list[Any], list[int]]] = []
        self.asked: list[tuple[Any, Any, int]] = []
        self.helds = 0
        self.saves = 0
        self.damage: Sequence[str] = ()
        self.gate: asyncio.Event | None = None
        self.down: Exception | None = None
        self.full: Exception | None = None
        self.lost: Exception | None = None

    async def held(self) -> Any:
        self.helds += 1
        return ids_of(sorted(self.ids))

    async def apply(self, ids: Any, contents: Sequence[Any], *, remove: Any) -> None:
        if self.gate:
            await self.gate.wait()
        if self.down:
            raise self.down
        self.applied.append((ids.tolist(), list(contents), remove.tolist()))
        self.ids = (self.ids | set(ids.tolist())) - set(remove.tolist())

    async def search(self, question: Any, *, scope: Any, limit: int) -> Sequence[Hit]:
        if self.lost:
            raise self.lost
        self.asked.append((question, scope, limit))
        return self.hits[:limit]

    async def faults(self) -> Sequence[str]:
        return self.damage

    async def save(self) -> None:
        if self.full:
            raise self.full
        self.saves += 1


async def numbered(ids: Any) -> AsyncIterator[tuple[Any, list[str]]]:
    """A projection's source of texts, in batches of two."""
    for start in range(0, len(ids), 2):
        batch = ids[start : start + 2]
        yield np.asarray(batch), [f"text {one}" for one in batch.tolist()]


class Watcher:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.dropped_chunks: list[tuple[str, int]] = []
        self.stumbles: list[tuple[str, BaseException]] = []
        self.outcomes: dict[str, str | None] = {}
        self.batches: list[tuple[int, float]] = []
        self.waits: list[RagError] = []
        self.failed_purges: list[tuple[str, BaseException]] = []

    def dropped(self, workspace: str, chunk_id: int) -> None:
        self.dropped_chunks.append((workspace, chunk_id))

    def stumbled(self, workspace: str, error: BaseException) -> None:
        self.stumbles.append((workspace, error))

    def ingested(self, one: Ingested) -> None:
        self.outcomes[one.document_id] = one.reason

    def worked(self, documents: int, seconds: float) -> None:
        self.batches.append((documents, seconds))

    def worker_waits(self, error: RagError) -> None:
        self.waits.append(error)

    def purge_failed(self, document_id: str, error: BaseException) -> None:
        self.failed_purges.append((document_id, error))


async def until(condition: Any, *, seconds: float = 60.0, every: float = 0.002) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # anything may be waited for here
            await asyncio.sleep(every)


THREADS_S = 30.0


class _Impatient(selectors.DefaultSelector):
    """Does not wait, unless for one of `threads`; its clock moves by what was to be waited.

    However long a thread takes, up to `THREADS_S`, the clock stands.
    """

    now = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select()
        found = super().select(THREADS_S if self.threads and timeout > 0 else 0)
        if not found:
            self.now += max(0.0, timeout)
        return found


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is moved by waiting alone, and jumps to the next timer."""

    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._impatient.threads += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _future: Any) -> None:
        self._impatient.threads -= 1


def hurried(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on a clock that does not make it wait; its fixtures must not be async."""

    @functools.wraps(test)
    def run(*args: Any, **values: Any) -> None:
        with asyncio.Runner(loop_factory=HurriedLoop) as runner:
            runner.run(test(*args, **values))

    return run
