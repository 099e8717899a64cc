"""Handing documents in, one or many, while there is room for them."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from orchestrator.domain.batches import Batch, Item, Kind, Line, Outcome, Standing
from orchestrator.domain.documents import QA_MEDIA_TYPE, Upload
from orchestrator.domain.errors import Exhausted, Forbidden, NotFound, Rejected
from orchestrator.domain.places import normal
from orchestrator.ingestion.errands import Runner, refusal
from orchestrator.ingestion.service import Ingestion
from orchestrator.ports.catalog import Catalog, Registered
from orchestrator.ports.queue import Queue
from orchestrator.ports.web import Places

FILES_S: Final = 60.0
"""A request that takes no file for so long is taken for dead."""
WAIT_S: Final = 5.0
TOGETHER: Final = 64
"""Files that one transaction registers: others wait for it to end."""
TOGETHER_BYTES: Final = 64 << 20
"""So many of them are stored in a part of `FILES_S`; a larger file is taken alone."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one request may ask for; `max_jobs` may wait when it comes."""

    max_jobs: int
    max_files: int
    max_pages: int
    max_depth: int
    crawl: bool


class Intake:
    """The use cases of whoever hands documents in."""

    def __init__(
        self,
        catalog: Catalog,
        queue: Queue,
        ingestion: Ingestion,
        places: Places,
        runner: Runner,
        bounds: Bounds,
    ) -> None:
        self._catalog = catalog
        self._queue = queue
        self._ingestion = ingestion
        self._places = places
        self._runner = runner
        self._bounds = bounds

    async def admit(self) -> None:
        """Let a request in while the queue has room.

        Raises:
            Exhausted: when it has none; what was accepted before stays accepted.
        """
        waiting = (await self._queue.backlog()).waiting
        if waiting >= self._bounds.max_jobs:
            raise Exhausted(
                f"{waiting} documents wait to be indexed, and no more than "
                f"{self._bounds.max_jobs} may: send it again later",
                code="queue_full",
                retry_after=WAIT_S,
            )

    async def file(self, workspace: str, upload: Upload) -> Registered:
        """One document.

        Raises:
            NotFound, TooLarge, Unsupported, Exhausted: as `Ingestion.submit`, or for want of room.
        """
        await self.admit()
        return await self._ingestion.submit(workspace, upload)

    async def files(self, workspace: str, uploads: Sequence[Upload]) -> Batch:
        """Many documents; those that are refused hinder no other.

        Raises:
            NotFound: for an unknown workspace.
            Rejected: for too many, or for two of one source id.
        """
        items = [Item(one.source_id, one.filename) for one in uploads]
        batch = await self._create(workspace, Kind.FILES, items)
        for first, together in await asyncio.to_thread(_parted, uploads):
            outcomes = dict(enumerate(await self._taken(workspace, together), start=first))
            await self._catalog.errands.settle_all(batch.id, outcomes, seconds=FILES_S)
        return await self._catalog.batches.get(batch.id)

    async def manifest(self, workspace: str, items: Sequence[Item]) -> Batch:
        """Documents by path or URL, to be read in the background.

        Raises:
            Forbidden: when the operator allows no place at all.
        """
        if not self._places.any:
            raise Forbidden(
                "no path and no URL may be read: the operator has configured no sources",
                code="sources_not_configured",
            )
        return await self._create(workspace, Kind.MANIFEST, items)

    async def website(
        self, workspace: str, first: Item, *, max_pages: int, max_depth: int, max_bytes: int
    ) -> Batch:
        """The pages of one host, from `first.place` on, to be read in the background.

        Raises:
            Rejected: for what is no URL, or goes beyond the limits.
            Forbidden: when the operator allows no crawls.
        """
        if not self._bounds.crawl:
            raise Forbidden("websites are not allowed to be read", code="crawl_not_allowed")
        _at_most("max_pages", max_pages, self._bounds.max_pages)
        _at_most("max_depth", max_depth, self._bounds.max_depth)
        try:
            url = normal(first.place)
        except ValueError as error:
            raise Rejected(str(error), code="invalid_url", field="url") from error
        item = Item(url, url, metadata=first.metadata, acl=first.acl)
        plan = {
            "start": url,
            "max_pages": max_pages,
            "max_depth": max_depth,
            "max_bytes": max_bytes,
        }
        return await self._create(workspace, Kind.WEBSITE, [item], plan)

    async def job(
        self, batch_id: str, *, after: int = 0, limit: int
    ) -> tuple[Batch, Sequence[Line]]:
        """A batch, and a page of its items."""
        batch = await self._catalog.batches.get(batch_id)
        return batch, await self._catalog.batches.lines(batch_id, after=after, limit=limit)

    async def _create(
        self,
        workspace: str,
        kind: Kind,
        items: Sequence[Item],
        plan: Mapping[str, Any] | None = None,
    ) -> Batch:
        _at_most("items", len(items), self._bounds.max_files)
        twice = [one for one, count in Counter(i.source_id for i in items).items() if count > 1]
        if twice:
            raise Rejected(
                f"two documents of the batch are '{twice[0]}': give each a source_id of its own",
                code="duplicate_source_id",
                field="source_id",
            )
        await self.admit()
        found = await self._catalog.workspaces.get(workspace)
        batch = await self._catalog.batches.create(
            found.uid, kind, items, plan=plan or {}, seconds=FILES_S
        )
        self._runner.arrived.set()
        return batch

    async def _taken(self, workspace: str, uploads: Sequence[Upload]) -> Sequence[Outcome]:
        try:
            fates = await self._ingestion.submit_all(workspace, uploads)
        except NotFound as error:
            return [refusal(error)] * len(uploads)
        return [
            Outcome(Standing.TAKEN, document_id=fate.document.id)
            if isinstance(fate, Registered)
            else refusal(fate)
            for fate in fates
        ]


def _parted(uploads: Sequence[Upload]) -> Sequence[tuple[int, Sequence[Upload]]]:
    """What is taken together, with the number of the first: few enough files, and bytes."""
    parts: list[tuple[int, list[Upload]]] = []
    room = 0
    for number, upload in enumerate(uploads, start=1):
        size = upload.content.seek(0, os.SEEK_END)
        if not parts or size > room or len(parts[-1][1]) == TOGETHER:
            parts.append((number, []))
            room = TOGETHER_BYTES
        parts[-1][1].append(upload)
        room -= size
    return parts


def text_upload(text: str, **values: Any) -> Upload:
    """Plain text as a file."""
    content = BytesIO(text.encode())
    return Upload(content=content, filename="text.txt", media_type="text/plain", **values)


def qa_upload(pairs: Sequence[tuple[str, str]], **values: Any) -> Upload:
    """Questions and answers as a file; the same pairs are the same bytes."""
    body = [{"question": question, "answer": answer} for question, answer in pairs]
    content = BytesIO(json.dumps(body, ensure_ascii=False).encode())
    return Upload(content=content, filename="qa.json", media_type=QA_MEDIA_TYPE, **values)


def _at_most(name: str, asked: int, limit: int) -> None:
    if asked > limit:
        raise Rejected(
            f"{name} is {asked}: at most {limit} are allowed", code="too_many", field=name
        )
