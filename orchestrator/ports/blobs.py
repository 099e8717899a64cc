"""The store of original files."""

from typing import Protocol


class BlobStore(Protocol):
    """Bytes by key; a key is a relative path of `workspace uid / document id / content hash`."""

    async def put(self, key: str, content: bytes) -> None:
        """Store the bytes durably; the same key twice overwrites."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes.

        Raises:
            NotFound: when nothing is stored under the key.
        """
        ...

    async def purge(self, prefix: str) -> None:
        """Erase everything whose key begins with the prefix and a slash; nothing there is fine."""
        ...
