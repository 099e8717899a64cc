"""A vector index in FAISS: exact inner product, with a checked snapshot on disk."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import faiss
import numpy as np
import structlog

from adapters.folders import IndexFolders
from adapters.masks import Masks
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.indexes import IndexKey, Visibility

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

MANIFEST: Final = "manifest.json"
READ_ATTEMPTS: Final = 3


class FaissVectors:
    """`orchestrator.ports.indexes.VectorIndex`; one thread of its own does all the work."""

    def __init__(
        self, key: IndexKey, visibility: Visibility, folder: Path, *, persist: bool
    ) -> None:
        self._visibility = visibility
        self._folder = folder
        self._persist = persist
        self._masks = Masks()
        self._ids: Ids = np.empty(0, np.int64)
        self._index: faiss.Index = faiss.IndexFlatIP(key.dimension)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="faiss")

    async def load(self) -> None:
        """Read the snapshot, if there is one for this dimension and it is intact."""
        await self._run(self._load)

    async def close(self) -> None:
        """Let the thread finish."""
        await asyncio.to_thread(self._thread.shutdown)

    async def held(self) -> Ids:
        """The ids in the index; FAISS keeps them in the order of their addition."""
        return np.sort(self._ids)

    async def apply(self, ids: Ids, contents: Sequence[Vector], *, remove: Ids) -> None:
        """Remove what goes or is replaced, then append."""
        await self._run(lambda: self._apply(ids, contents, remove))

    async def search(self, question: Vector, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Scan what the scope may see."""
        return await self._run(lambda: self._search(question, scope, limit))

    async def save(self) -> None:
        """Write the next snapshot beside the present one, then point the manifest to it."""
        if self._persist:
            await self._run(self._save)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _apply(self, ids: Ids, contents: Sequence[Vector], remove: Ids) -> None:
        stay = ~np.isin(self._ids, np.concatenate([ids, remove]))
        if not stay.all():
            self._index.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(~stay)))
        if len(ids):
            self._index.add(np.ascontiguousarray(contents, np.float32))
        self._ids = np.concatenate([self._ids[stay], ids])

    def _search(self, question: Vector, scope: Scope, limit: int) -> Sequence[Hit]:
        allowed = self._masks.allowed(self._ids, self._visibility.select(scope))
        count = min(limit, int(allowed.sum()))
        if count == 0:
            return []
        parameters = None
        if not allowed.all():
            bits = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg, arg-type]  # added at run time
        scores, places = self._index.search(question.reshape(1, -1), count, params=parameters)
        return [
            Hit(int(self._ids[place]), float(score))
            for place, score in zip(places[0], scores[0], strict=True)
            if place >= 0
        ]

    def _save(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        content = faiss.serialize_index(self._index).tobytes()
        ids = self._ids.tobytes()
        digest = _digest(content, ids)
        name = f"index-{digest[:16]}"
        _write(self._folder / f"{name}.faiss", content)
        _write(self._folder / f"{name}.ids", ids)
        manifest = {"name": name, "sha256": digest, "chunks": len(self._ids)}
        _write(self._folder / MANIFEST, json.dumps(manifest).encode())
        for old in self._folder.glob("index-*"):
            if not old.name.startswith(name):
                old.unlink()

    def _load(self) -> None:
        for _ in range(READ_ATTEMPTS):
            try:
                return self._read()
            except FileNotFoundError:  # replaced by the process that holds the lease
                continue
            except (ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
                log.warning("index_corrupt", index="faiss", reason=str(error), action="rebuilding")
                return None
        log.warning("index_corrupt", index="faiss", reason="files missing", action="rebuilding")
        return None

    def _read(self) -> None:
        if not (self._folder / MANIFEST).exists():
            return
        manifest = json.loads((self._folder / MANIFEST).read_bytes())
        content = (self._folder / f"{manifest['name']}.faiss").read_bytes()
        ids = (self._folder / f"{manifest['name']}.ids").read_bytes()
        if _digest(content, ids) != manifest["sha256"]:
            raise ValueError("the checksum of the snapshot does not match")
        index = faiss.deserialize_index(np.frombuffer(content, np.uint8))
        if index.d != self._index.d:
            raise ValueError(f"the snapshot has {index.d} dimensions, not {self._index.d}")
        self._index, self._ids = index, np.frombuffer(ids, np.int64)


class FaissStore:
    """`orchestrator.ports.indexes.VectorStore` below one folder."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self._folders = IndexFolders(folder)

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[FaissVectors]:
        """Load the snapshot; without `persist`, never write one."""
        with self._folders.using(key) as folder:
            index = FaissVectors(key, visibility, folder, persist=persist)
            try:
                await index.load()
                yield index
            finally:
                await index.close()

    async def prune(self, workspace: str) -> None:
        """Erase the folders of indexes that are not open."""
        await self._folders.prune(workspace)

    async def drop(self, workspace: str) -> None:
        """Erase the workspace's folder."""
        await self._folders.drop(workspace)


def _digest(content: bytes, ids: bytes) -> str:
    digest = hashlib.sha256(content)
    digest.update(ids)
    return digest.hexdigest()


def _write(path: Path, data: bytes) -> None:
    beside = path.with_suffix(f"{path.suffix}.part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
