"""The store of original files."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from orchestrator.ports.health import Pingable


class BlobStore(Pingable, Protocol):
    """Bytes by key; a key is a relative path of `workspace uid / document id / content hash`."""

    async def put(self, key: str, content: BinaryIO) -> None:
        """Store what is left of the file durably, a piece at a time; the same key overwrites."""
        ...

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The bytes as a local file, to be read only, for as long as the block runs.

        Raises:
            NotFound: when nothing is stored under the key.
        """
        ...

    async def purge(self, prefix: str) -> None:
        """Erase everything whose key begins with the prefix and a slash; nothing there is fine."""
        ...
