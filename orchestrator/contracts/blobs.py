"""The promises of a `BlobStore`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from io import BytesIO

import pytest

from orchestrator.domain.errors import NotFound
from orchestrator.ports.blobs import BlobStore

KEY = "w1/d1/0f3a"


async def put(blobs: BlobStore, key: str, content: bytes) -> None:
    """Store bytes."""
    await blobs.put(key, BytesIO(content))


async def get(blobs: BlobStore, key: str) -> bytes:
    """Read bytes back."""
    async with blobs.local(key) as file:
        return file.read_bytes()


class BlobStoreContract:
    """Needs the fixture `blobs`, an empty store."""

    @pytest.mark.parametrize("content", [b"text", b"", bytes(range(256)) * 8192])
    async def test_bytes_come_back_as_they_were(self, blobs: BlobStore, content: bytes) -> None:
        await put(blobs, KEY, content)

        assert await get(blobs, KEY) == content

    async def test_only_what_is_left_of_a_file_is_stored(self, blobs: BlobStore) -> None:
        content = BytesIO(b"text")
        content.read(2)

        await blobs.put(KEY, content)

        assert await get(blobs, KEY) == b"xt"

    async def test_what_was_never_put_is_not_found(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"text")

        with pytest.raises(NotFound):
            await get(blobs, "w1/d1/0f3b")

    async def test_a_part_of_a_key_is_not_found(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"text")

        with pytest.raises(NotFound):
            await get(blobs, "w1/d1")

    async def test_the_same_key_twice_overwrites(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"a longer text")
        await put(blobs, KEY, b"text")

        assert await get(blobs, KEY) == b"text"

    async def test_writers_of_one_key_leave_one_of_their_contents_whole(
        self, blobs: BlobStore
    ) -> None:
        contents = [bytes([number]) * 100_000 for number in range(8)]
        await asyncio.gather(*(put(blobs, KEY, content) for content in contents))

        assert await get(blobs, KEY) in contents

    async def test_a_purge_erases_everything_below_the_prefix(self, blobs: BlobStore) -> None:
        keys = [KEY, "w1/d1/0f3b", "w1/d2/0f3a"]
        for key in keys:
            await put(blobs, key, b"text")

        await blobs.purge("w1")

        for key in keys:
            with pytest.raises(NotFound):
                await get(blobs, key)

    @pytest.mark.parametrize("other", ["w1/d10/0f3a", "w1/d2/0f3a", "w2/d1/0f3a"])
    async def test_a_purge_leaves_everything_else(self, blobs: BlobStore, other: str) -> None:
        await put(blobs, KEY, b"text")
        await put(blobs, other, b"another")

        await blobs.purge("w1/d1")

        assert await get(blobs, other) == b"another"

    async def test_a_purge_leaves_a_key_that_nothing_is_below(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"text")

        await blobs.purge(KEY)

        assert await get(blobs, KEY) == b"text"

    async def test_purging_where_nothing_is_does_nothing(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"text")

        await blobs.purge("w2")
        await blobs.purge("w1/d1/0f3a/deeper")

        assert await get(blobs, KEY) == b"text"

    async def test_what_was_purged_can_be_put_again(self, blobs: BlobStore) -> None:
        await put(blobs, KEY, b"text")
        await blobs.purge("w1/d1")
        await put(blobs, KEY, b"text")

        assert await get(blobs, KEY) == b"text"
