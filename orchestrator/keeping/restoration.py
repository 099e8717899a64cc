"""Restoration: a backup verified, put beside what is there, and then in its place at once."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Rejected, Unavailable
from orchestrator.keeping import manifest as manifests
from orchestrator.keeping.manifest import CATALOG, PIECE_BYTES, Manifest
from orchestrator.keeping.packing import unpacked
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.cache import Cache
from orchestrator.ports.keeping import NOTHING, Contents, Copies, Keeper
from orchestrator.ports.lease import Lease

BEFORE: Final = "before.db"
AT_ONCE: Final = 8
SMALL_BYTES: Final = 1 << 20
"""Files smaller than this are put so many at the same time."""
LEASE: Final = "lease"


@dataclass(slots=True)
class Restored:
    """What was restored; `pending` says what could not be cleaned, and why."""

    manifest: Manifest
    replaced: bool
    pending: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Local:
    """What of this machine a restoration works with: its indexes are dropped, to be built anew."""

    lease: Lease
    indexes: Path
    staging: Path


@dataclass(frozen=True, slots=True)
class _Plan:
    """Keys and documents, before and after."""

    before: Contents
    after: Contents
    doomed: frozenset[str]


class Restoration:
    """Puts a deployment back.

    Nothing is touched before every checksum was found right. Files then go to where they belong,
    which hurts nobody, as their keys name their content; and the catalog comes last, wholly or
    not at all. A restoration that is cut short can be begun again.
    """

    def __init__(
        self,
        keeper: Keeper,
        copies: Copies,
        blobs: BlobStore,
        quarantined: BlobStore,
        caches: Sequence[Cache],
        local: Local,
    ) -> None:
        self._keeper = keeper
        self._copies = copies
        self._stores: Mapping[str, BlobStore] = {"blobs": blobs, "quarantine": quarantined}
        self._caches = caches
        self._local = local

    async def read(self, source: Path, *, replace: bool) -> Restored:
        """Restore the backup in that folder; with `replace`, also over what is there.

        Raises:
            NotFound: when there is no backup.
            Rejected: when it is damaged or of a newer version, or something is there already.
            Conflict: when a server, a worker or another command uses the deployment.
        """
        manifest = manifests.read(source)
        await asyncio.to_thread(manifests.verify, source, manifest)
        if not self._local.lease.acquire():
            raise Conflict("a server uses the data folder: stop it first", code="in_use")
        await self._keeper.require_alone()
        async with self._staged(source, manifest) as catalog:
            plan = await self._prepared(source, manifest, catalog, replace=replace)
            for kind, store in self._stores.items():
                for name in manifest.parts_of(kind):
                    await _unpack(source / name, store)
            await asyncio.to_thread(_drop, self._local.indexes)
            await self._keeper.replace(catalog)
            restored = Restored(manifest, replaced=not plan.before.untouched)
            await self._clean(plan, restored)
        return restored

    @asynccontextmanager
    async def _staged(self, source: Path, manifest: Manifest) -> AsyncIterator[Path]:
        """A copy of the catalog to work on, removed at the end; checked as it is copied."""
        staging = self._local.staging
        try:
            await asyncio.to_thread(_emptied, staging)
            catalog = staging / CATALOG
            digest = await asyncio.to_thread(_copied, source / CATALOG, catalog)
        except OSError as error:
            raise Unavailable(f"'{staging}'", error.strerror or str(error)) from error
        try:
            if digest != next(one.sha256 for one in manifest.parts if one.name == CATALOG):
                raise Rejected("the backup changed while it was read")
            yield catalog
        finally:
            await asyncio.to_thread(shutil.rmtree, staging)

    async def _prepared(
        self, source: Path, manifest: Manifest, catalog: Path, *, replace: bool
    ) -> _Plan:
        after = await self._copies.contents(catalog)
        before, there = await self._aside(catalog.with_name(BEFORE))
        if not (before.untouched or replace):
            raise Rejected(
                f"there are {before.rows['documents']} documents in {len(before.names)} workspaces "
                "already: --replace puts the backup in their place",
                code="not_empty",
            )
        await self._copies.renew(catalog, beyond=before)
        kept = frozenset(one.key for one in self._copies.originals(catalog))
        await asyncio.to_thread(_require_files, source, manifest, kept)
        return _Plan(before, after, there - {_folder(key) for key in kept})

    async def _aside(self, path: Path) -> tuple[Contents, frozenset[str]]:
        """What is there now, and the folders of its files."""
        try:
            await self._keeper.copy(path)
        except NotFound:
            return NOTHING, frozenset()
        contents = await self._copies.contents(path)
        return contents, frozenset(_folder(one.key) for one in self._copies.originals(path))

    async def _clean(self, plan: _Plan, restored: Restored) -> None:
        """Erase what belongs to neither; what does not answer is told, and does no harm."""
        for workspace in plan.before.names.keys() | plan.after.names.keys():
            for cache in self._caches:
                try:
                    await cache.purge(workspace)
                except Unavailable as error:
                    restored.pending["cache"] = error.detail
        for folder in sorted(plan.doomed):
            for kind, store in self._stores.items():
                try:
                    await store.purge(folder)
                except Unavailable as error:
                    restored.pending[kind] = error.detail


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _require_files(source: Path, manifest: Manifest, keys: frozenset[str]) -> None:
    """Make sure that the parts hold the files that the catalog names, and nothing else."""
    missing = set(keys)
    for name in manifest.parts_of("blobs"):
        for key, *_ in unpacked(source / name):
            if key not in keys:
                raise Rejected(f"{name} holds a file that no document has: '{key}'")
            missing.discard(key)
    if missing:
        raise Rejected(f"the backup lacks {len(missing)} files, one of them '{min(missing)}'")
    for name in manifest.parts_of("quarantine"):
        for key, *_ in unpacked(source / name):
            if key.removesuffix(".json") not in keys:
                raise Rejected(f"{name} holds a file that no document has: '{key}'")


async def _unpack(part: Path, store: BlobStore) -> None:
    """Put the small files a few at a time, and a large one as it is read."""
    files: Iterator[tuple[str, int, BinaryIO]] = unpacked(part)
    few: dict[str, BinaryIO] = {}
    while (found := await asyncio.to_thread(next, files, None)) is not None:
        key, size, content = found
        if size < SMALL_BYTES:
            few[key] = BytesIO(await asyncio.to_thread(content.read))
        else:
            await store.put(key, content)
        if len(few) == AT_ONCE:
            await _put(store, few)
            few = {}
    await _put(store, few)


async def _put(store: BlobStore, files: Mapping[str, BinaryIO]) -> None:
    await asyncio.gather(*(store.put(key, content) for key, content in files.items()))


def _emptied(folder: Path) -> None:
    """A new folder for its owner alone, whatever an earlier restoration left there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _copied(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    if 2 * source.stat().st_size > (free := shutil.disk_usage(target.parent).free):
        raise Exhausted(f"restoring needs twice the catalog's size, and {free:,} bytes are left")
    with source.open("rb") as content, target.open("xb") as copy:
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
            copy.write(piece)
    return digest.hexdigest()


def _drop(indexes: Path) -> None:
    """Remove local indexes, which may be of another history."""
    if indexes.is_dir():
        for path in indexes.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LEASE:
                path.unlink()
