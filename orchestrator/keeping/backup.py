"""A backup: one moment of the catalog, with every original file that it names."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Rejected, Unavailable
from orchestrator.keeping.manifest import CATALOG, FORMAT, Manifest, Part, digest_of
from orchestrator.keeping.packing import Packer
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.keeping import Copies, Keeper, Original

AT_ONCE: Final = 8
"""Files that are fetched at the same time."""


class Watch(Protocol):
    """Who wants to know how far it is."""

    def begin(self, files: int) -> None:
        """So many files are about to be copied."""
        ...

    def advance(self, size: int) -> None:
        """One of them was, of so many bytes."""
        ...


class Backup:
    """Copies a deployment while it is used.

    The catalog is copied first: files are stored before the catalog names them, are never changed,
    and are erased only with their document. So each that it names is there afterwards, but for
    those of documents deleted meanwhile, which are then deleted from the copy as well.
    """

    def __init__(
        self,
        keeper: Keeper,
        copies: Copies,
        blobs: BlobStore,
        quarantined: BlobStore,
        *,
        product: str,
    ) -> None:
        self._keeper = keeper
        self._copies = copies
        self._blobs = blobs
        self._quarantined = quarantined
        self._product = product

    async def write(self, target: Path, watch: Watch) -> Manifest:
        """Write a new folder, which has its name only once it is complete and on the disk.

        Raises:
            Rejected: when something of that name is there already.
            Conflict: when a file is missing whose document was not deleted.
            Exhausted: when the disk has no room for it.
        """
        if await asyncio.to_thread(os.path.lexists, target):
            raise Rejected(f"'{target}' exists already: a backup overwrites nothing")
        with _disk(target):
            async with _in_the_making(target) as folder:
                manifest = await self._fill(folder, watch)
                manifest.write(folder)
                await asyncio.to_thread(_settle, folder)
                folder.rename(target)
                _flush(target.parent)
        return manifest

    async def _fill(self, folder: Path, watch: Watch) -> Manifest:
        created, path = datetime.now(UTC), folder / CATALOG
        await self._keeper.copy(path)
        with Packer(folder, "blobs") as blobs, Packer(folder, "quarantine") as quarantine:
            await self._pack(path, blobs, quarantine, watch)
        contents = await self._copies.contents(path)
        size = path.stat().st_size
        catalog = Part(CATALOG, size, await asyncio.to_thread(digest_of, path))
        return Manifest(
            format=FORMAT,
            product=self._product,
            schema=contents.schema,
            created_at=created.isoformat(),
            revisions={name: contents.revisions[uid] for uid, name in contents.names.items()},
            rows=contents.rows,
            files=blobs.files,
            quarantined=quarantine.files,
            parts=[catalog, *blobs.parts, *quarantine.parts],
        )

    async def _pack(self, path: Path, blobs: Packer, quarantine: Packer, watch: Watch) -> None:
        count, size = _measured(self._copies.originals(path))
        _require_room(path.parent, size)
        watch.begin(count)
        missing: list[Original] = []
        for some in _batches(self._copies.originals(path)):
            keys = [one.key for one in some]
            found = await _packed(self._blobs, keys, blobs, watch.advance)
            missing += [one for one in some if one.key not in found]
            failed = [one.key for one in some if one.failed]
            notes = [f"{key}.json" for key in failed]
            await _packed(self._quarantined, failed + notes, quarantine, _unheard)
        if missing:
            await self._forget(path, missing)

    async def _forget(self, path: Path, missing: Sequence[Original]) -> None:
        """Delete from the copy what was deleted while it was made."""
        documents = {one.document_id for one in missing}
        lost = documents - await self._keeper.deleted(sorted(documents))
        if lost:
            key = next(one.key for one in missing if one.document_id in lost)
            raise Conflict(
                f"the original files of {len(lost)} documents are missing, one of them '{key}': "
                "delete these documents, or put the files back",
                code="file_missing",
            )
        await self._copies.forget(path, documents)


async def _packed(
    store: BlobStore, keys: Sequence[str], packer: Packer, told: Callable[[int], None]
) -> frozenset[str]:
    """Fetch files together, append them in order; the keys of those that are there."""
    found = set()
    async with AsyncExitStack() as stack:
        paths = await asyncio.gather(*(_fetched(store, key, stack) for key in keys))
        for key, path in zip(keys, paths, strict=True):
            with suppress(FileNotFoundError):  # purged since
                if path is not None:
                    told(await asyncio.to_thread(packer.add, key, path))
                    found.add(key)
    return frozenset(found)


async def _fetched(store: BlobStore, key: str, stack: AsyncExitStack) -> Path | None:
    try:
        return await stack.enter_async_context(store.local(key))
    except NotFound:
        return None


def _unheard(_size: int) -> None:
    pass


def _measured(originals: Iterable[Original]) -> tuple[int, int]:
    count = size = 0
    for one in originals:
        count, size = count + 1, size + one.size
    return count, size


def _batches(originals: Iterable[Original]) -> Iterable[Sequence[Original]]:
    left = iter(originals)
    while some := list(itertools.islice(left, AT_ONCE)):
        yield some


def _require_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise Exhausted(f"the files need {size:,} bytes, and the disk has {free:,} left")


@asynccontextmanager
async def _in_the_making(target: Path) -> AsyncIterator[Path]:
    """A folder beside the target for its owner alone; gone again if anything goes wrong."""
    folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder)
        raise


def _settle(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o600)
        _flush(path)
    _flush(folder)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"'{target}'", error.strerror or str(error)) from error
