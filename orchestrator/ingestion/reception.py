"""Taking uploads in: inspected, stored, and registered, many at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias, TypeVar

from orchestrator.domain.documents import Document, Upload
from orchestrator.domain.errors import Conflict, Exhausted, RagError, Rejected, TooLarge
from orchestrator.domain.quotas import UNLIMITED, Holding, Quota
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.catalog import Arrival, Catalog, Registered
from orchestrator.ports.parser import HEAD_BYTES, Parsers

AT_ONCE: Final = 4
"""Files that are read, or stored, at the same time."""
ATTEMPTS: Final = 2
"""After a conflict, another upload has made the document: this is its next version."""
PIECE_BYTES: Final = 1 << 20

Fate: TypeAlias = Registered | RagError
"""What became of an upload: a document, or the reason why there is none."""
Thing = TypeVar("Thing")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Inspected:
    upload: Upload
    media_type: str
    size: int
    digest: str


class Reception:
    """Takes in what it is handed, a piece at a time; what it reports as registered is durable."""

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        parsers: Parsers,
        *,
        max_bytes: int,
        quota_of: Callable[[str], Quota],
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._parsers = parsers
        self._max_bytes = max_bytes
        self._quota_of = quota_of

    async def take(
        self, workspace: str, uploads: Sequence[Upload], *, quota: Quota | None = None
    ) -> Sequence[Fate]:
        """Each upload's fate, in order; source ids are distinct, and no fate hinders another.

        Raises:
            NotFound: for an unknown workspace.
        """
        uid = (await self._catalog.workspaces.get(workspace)).uid
        quota = quota or self._quota_of(workspace)
        seen = await _each(self._inspect, uploads)
        left = {at: one for at, one in enumerate(seen) if isinstance(one, _Inspected)}
        fates: dict[int, Fate] = {
            at: one for at, one in enumerate(seen) if isinstance(one, Rejected)
        }
        for _ in range(ATTEMPTS):
            if left:
                fates |= zip(left, await self._enter(uid, list(left.values()), quota), strict=True)
                left = {at: one for at, one in left.items() if isinstance(fates[at], Conflict)}
        return [fates[at] for at in range(len(uploads))]

    async def _inspect(self, upload: Upload) -> _Inspected | Rejected:
        try:
            head, size, digest = await asyncio.to_thread(_read, upload.content, self._max_bytes)
            media_type = upload.media_type or self._parsers.sniff(head, upload.filename)
        except Rejected as error:
            return error
        return _Inspected(upload, media_type, size, digest)

    async def _enter(
        self, uid: str, inspected: Sequence[_Inspected], quota: Quota
    ) -> Sequence[Fate]:
        """Store what is new and within the quota; then register it, in one transaction."""
        names = [one.upload.source_id for one in inspected]
        known = await self._catalog.documents.known(uid, names)
        arrivals = [_arrival(uid, one, known.get(one.upload.source_id)) for one in inspected]
        fates: dict[str, Fate] = dict(await self._beyond(uid, arrivals, known, quota))
        admitted = [one for one in arrivals if one.upload.source_id not in fates]
        await _each(self._store, [one for one in admitted if _new(one, known)])
        if admitted:
            given = await self._catalog.documents.register(uid, admitted, quota=quota)
            fates |= zip((one.upload.source_id for one in admitted), given, strict=True)
            for arrival, fate in zip(admitted, given, strict=True):
                await self._clear(uid, arrival, fate, known)
        return [fates[name] for name in names]

    async def _beyond(
        self, uid: str, arrivals: Sequence[Arrival], known: Mapping[str, Document], quota: Quota
    ) -> Mapping[str, Exhausted]:
        """What the quota refuses before its bytes are stored; it is asked once more after."""
        if quota == UNLIMITED:
            return {}
        refused: dict[str, Exhausted] = {}
        holding = await self._catalog.documents.holding(uid)
        for one in arrivals:
            before = known.get(one.upload.source_id)
            if not _new(one, known):
                continue
            more = Holding(0, one.size - before.size) if before else Holding(1, one.size)
            try:
                quota.admit(holding, more)
                holding += more
            except Exhausted as error:
                refused[one.upload.source_id] = error
        return refused

    async def _store(self, arrival: Arrival) -> None:
        content = arrival.upload.content
        await asyncio.to_thread(content.seek, 0)
        await self._blobs.put(arrival.blob_key, content)

    async def _clear(
        self, uid: str, arrival: Arrival, fate: Fate, known: Mapping[str, Document]
    ) -> None:
        """Purge what was stored in vain; a document that is known keeps its own bytes."""
        is_known = arrival.upload.source_id in known
        if isinstance(fate, Conflict) or (isinstance(fate, Exhausted) and not is_known):
            await self._blobs.purge(f"{uid}/{arrival.document_id}")


def _arrival(uid: str, one: _Inspected, known: Document | None) -> Arrival:
    document_id = known.id if known else uuid.uuid4().hex
    key = f"{uid}/{document_id}/{one.digest}"
    return Arrival(one.upload, document_id, one.media_type, one.size, one.digest, key)


def _new(arrival: Arrival, known: Mapping[str, Document]) -> bool:
    """Whether its bytes are to be stored."""
    before = known.get(arrival.upload.source_id)
    return before is None or before.content_hash != arrival.content_hash


def _read(content: BinaryIO, most: int) -> tuple[bytes, int, str]:
    """How a file begins, its size, and the SHA-256 of the whole of it; blocking."""
    size = content.seek(0, os.SEEK_END)
    if size > most:
        raise TooLarge(f"a document holds at most {most} bytes", field="file")
    content.seek(0)
    head = content.read(HEAD_BYTES)
    digest = hashlib.sha256(head)
    while piece := content.read(PIECE_BYTES):
        digest.update(piece)
    return head, size, digest.hexdigest()


async def _each(
    act: Callable[[Thing], Awaitable[Result]], things: Sequence[Thing]
) -> Sequence[Result]:
    """Act on all of them, a few at a time; the first error ends it."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(thing: Thing) -> Result:
        async with turns:
            return await act(thing)

    tasks = [asyncio.create_task(in_turn(thing)) for thing in things]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
