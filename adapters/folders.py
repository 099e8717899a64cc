"""The folders of indexes on disk, one for each key, below the root of their store."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator.ports.indexes import IndexKey

ASIDE: Final = ".stale-"


class IndexFolders:
    """Knows which folders are in use, so that the others can be erased."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._used: list[Path] = []
        self._erasing = asyncio.Lock()

    @contextmanager
    def using(self, key: IndexKey) -> Iterator[Path]:
        """The key's folder, which may not exist yet; it is in use until the block ends."""
        folder = self._root / key.path
        self._used.append(folder)
        try:
            yield folder
        finally:
            self._used.remove(folder)

    async def prune(self, workspace: str) -> None:
        """Erase the workspace's folders that are not in use."""
        async with self._erasing:  # what another call erases has not gone yet
            stale = [_aside(path) for path in self._folders(workspace) if path not in self._used]
            await _erase(stale)

    async def drop(self, workspace: str) -> None:
        """Erase all folders of the workspace."""
        async with self._erasing:
            await _erase([self._root / workspace])

    def _folders(self, workspace: str) -> list[Path]:
        root = self._root / workspace
        return list(root.iterdir()) if root.exists() else []


def _aside(folder: Path) -> Path:
    """Rename it at once: nobody can begin to use it while it is being erased."""
    return folder.rename(folder.with_name(f"{ASIDE}{secrets.token_hex(8)}"))


async def _erase(folders: Sequence[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):
            await asyncio.to_thread(shutil.rmtree, folder)
