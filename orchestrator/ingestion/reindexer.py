"""The re-indexer: documents cut and embedded once more, for the footing beside the one in use."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orchestrator.domain.documents import Piece, text_hash
from orchestrator.domain.errors import NotFound, RagError, Unavailable
from orchestrator.domain.reindexing import Reindexing, State
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ingestion.cutting import cut
from orchestrator.ingestion.worker import EMBEDDED
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Catalog, Edition, Lagging, Work
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.parser import Parsers

BATCH: Final = 32
CLAIM_S: Final = 15.0
IDLE_S: Final = 1.0
EAGER_S: Final = 0.2
"""The pause while a workspace is on its way: what is published meanwhile must come, too."""
CHUNKS: Final = 500


class Observer(Protocol):
    """What an operator wants to hear of."""

    def worker_waits(self, error: RagError) -> None:
        """A dependency is down; it will be tried again."""
        ...

    def stumbled(self, workspace: str, error: BaseException) -> None:
        """A document could not be read again, and keeps the chunks that it has."""
        ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """A document that was cut for the other footing: `texts` are what will be embedded."""

    lagging: Lagging
    pieces: Sequence[Piece]
    texts: Sequence[str]


class Reindexer:
    """Brings documents over until cancelled; several may run, one for a workspace at a time.

    What is left to do is read from the catalog each time, so whoever comes next goes on. A
    document that can no longer be read from its file keeps the chunks that it has.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        parsers: Parsers,
        embedder_of: Callable[[WorkspaceConfig], Embedder],
        observer: Observer,
        *,
        parallel: int = 1,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._parsers = parsers
        self._embedder_of = embedder_of
        self._observer = observer
        self._turns = asyncio.Semaphore(parallel)
        self._name = uuid.uuid4().hex
        self._at: dict[str, str] = {}
        self._whole: dict[str, tuple[State, int]] = {}

    async def run(self) -> None:
        """One batch after another; a pause where nothing lags."""
        try:
            while True:
                pause = IDLE_S
                try:
                    if await self.step():
                        continue
                    pause = EAGER_S if self._at else IDLE_S
                except RagError as error:
                    self._observer.worker_waits(error)
                await asyncio.sleep(pause)
        finally:
            await self._release()

    async def step(self) -> int:
        """Bring one batch over; how many documents."""
        opened = [one for one in await self._catalog.reindexings.open() if one.copies]
        if not opened:
            self._at, self._whole = {}, {}
            return 0
        revisions = await self._catalog.workspaces.revisions()
        for one in opened:
            revision = revisions.get(one.workspace, 0)
            if self._whole.get(one.id) == (one.state, revision):
                continue
            if brought := await self._step(one):
                return brought
            if not self._at.get(one.id):
                self._whole[one.id] = (one.state, revision)
        return 0

    async def _step(self, one: Reindexing) -> int:
        """A batch of one; none where nothing lags, or another runner is at it."""
        after = self._at.get(one.id, "")
        found = await self._catalog.reindexings.lagging(one, after=after, limit=BATCH)
        self._at[one.id] = found[-1].document_id if found else ""
        if not found:
            return int(bool(after))  # from the beginning once more: something may have come
        if not await self._catalog.reindexings.take(one, self._name, seconds=CLAIM_S):
            return 0
        renewing = asyncio.create_task(self._renew(one))
        try:
            await self._bring(one, found)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        return len(found)

    async def _bring(self, one: Reindexing, found: Sequence[Lagging]) -> None:
        workspace = await self._workspace(one)
        if workspace is None:
            return
        config = workspace.on(one.beside)
        embedder = self._embedder_of(config)
        ready = await _together(self._cut(one, x, config, embedder) for x in found)
        try:
            await self._embed(ready, embedder)
        except Unavailable:
            raise
        except RagError as error:
            if not await self._catalog.reindexings.settle(one, State.FAILED, reason=error.detail):
                raise
            return
        await self._catalog.reindexings.publish(
            one,
            [
                Edition(
                    each.lagging.document_id,
                    each.lagging.version,
                    each.lagging.seen,
                    one.beside.generation,
                    embedder.digest,
                    each.pieces,
                    [text_hash(text) for text in each.texts],
                )
                for each in ready
            ],
        )

    async def _workspace(self, one: Reindexing) -> WorkspaceConfig | None:
        try:
            return (await self._catalog.workspaces.by_uid(one.workspace)).config
        except NotFound:  # deleted meanwhile
            return None

    async def _cut(
        self, one: Reindexing, lagging: Lagging, config: WorkspaceConfig, embedder: Embedder
    ) -> _Ready:
        if lagging.document is None:
            return _Ready(lagging, (), ())
        if not one.cuts:
            return await self._as_it_is(one, lagging)
        work = Work(lagging.document, lagging.title, lagging.blob_key, config.generation)
        try:
            async with self._turns, self._blobs.local(lagging.blob_key) as file:
                parsed = await self._parsers.parse(file, lagging.document.media_type)
            _, pieces, texts = await cut(parsed, work, config.chunking, embedder)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # a parser may fail in any way; the document stays
            self._observer.stumbled(one.workspace, error)
            return await self._as_it_is(one, lagging)
        return _Ready(lagging, pieces, texts)

    async def _as_it_is(self, one: Reindexing, lagging: Lagging) -> _Ready:
        """The chunks that readers see now."""
        pieces: list[Piece] = []
        after, generation = 0, one.serving.generation
        while page := await self._catalog.chunks.of(
            lagging.document_id, generation=generation, after=after, limit=CHUNKS
        ):
            pieces += [
                Piece(each.text, each.start, each.end, each.section, each.page, each.asked)
                for each in page
            ]
            after = page[-1].id
        return _Ready(lagging, pieces, [piece.embedded(lagging.title) for piece in pieces])

    async def _embed(self, ready: Sequence[_Ready], embedder: Embedder) -> None:
        texts = {text_hash(text): text for each in ready for text in each.texts}
        known = await self._catalog.vectors.known(embedder.digest, list(texts))
        new = [digest for digest in texts if digest not in known]
        for start in range(0, len(new), EMBEDDED):
            part = new[start : start + EMBEDDED]
            vectors = await embedder.embed([texts[digest] for digest in part])
            await self._catalog.vectors.put(embedder.digest, part, vectors)

    async def _renew(self, one: Reindexing) -> None:
        while True:
            await asyncio.sleep(CLAIM_S / 3)
            try:
                await self._catalog.reindexings.take(one, self._name, seconds=CLAIM_S)
            except Unavailable as error:
                self._observer.worker_waits(error)

    async def _release(self) -> None:
        try:
            await self._catalog.reindexings.release(self._name)
        except Unavailable as error:  # the claims end by themselves
            self._observer.worker_waits(error)


async def _together(cuts: Iterable[Coroutine[Any, Any, _Ready]]) -> Sequence[_Ready]:
    """All of them; where one fails, the others have ended, too, before that is told."""
    tasks = [asyncio.create_task(one) for one in cuts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
