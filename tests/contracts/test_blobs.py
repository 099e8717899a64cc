"""Blob stores give back what was put, and erase what is purged."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path

import pytest

from adapters.blobs.filesystem import FilesystemBlobs
from adapters.blobs.s3 import S3Blobs, open_s3
from orchestrator.contracts.blobs import KEY, BlobStoreContract, get, put
from orchestrator.domain.errors import Unavailable


class TestFilesystemBlobs(BlobStoreContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "blobs"

    @pytest.fixture
    def blobs(self, folder: Path) -> FilesystemBlobs:
        return FilesystemBlobs(folder)

    @pytest.mark.parametrize("key", ["../outside", "w1/../../outside", "/outside", "", "."])
    async def test_a_key_never_leads_out_of_the_folder(self, blobs, folder, key):
        for use in (
            lambda: put(blobs, key, b"text"),
            lambda: get(blobs, key),
            lambda: blobs.purge(key),
        ):
            with pytest.raises(ValueError, match="not a blob key"):
                await use()

        assert list(folder.parent.iterdir()) == []

    async def test_nothing_but_the_file_is_left_of_a_write(self, blobs, folder):
        await put(blobs, KEY, b"one")
        await put(blobs, KEY, b"two")

        assert [path for path in folder.rglob("*") if path.is_file()] == [folder / KEY]

    async def test_the_folder_of_a_live_store_answers_a_ping(self, blobs, folder):
        await blobs.ping()

        assert folder.is_dir()

    async def test_a_folder_that_is_a_file_is_unavailable(self, blobs, folder):
        folder.write_bytes(b"")

        for use in (lambda: put(blobs, KEY, b"text"), blobs.ping):
            with pytest.raises(Unavailable):
                await use()


@pytest.fixture
async def opened(s3_url: str) -> AsyncIterator[Callable[..., Awaitable[S3Blobs]]]:
    """Opens a store; with an empty bucket of its own unless another is named."""
    async with AsyncExitStack() as stack:

        async def of(bucket: str = "", *, prefix: str = "", url: str = s3_url) -> S3Blobs:
            blobs = await stack.enter_async_context(
                open_s3(
                    bucket=bucket or f"rag-{uuid.uuid4().hex}",
                    prefix=prefix,
                    endpoint_url=url,
                    region="eu-central-1",
                    access_key="id",
                    secret_key="secret",
                    timeout_s=20,
                )
            )
            if not bucket:
                place = {"LocationConstraint": "eu-central-1"}
                blobs.client.create_bucket(Bucket=blobs.bucket, CreateBucketConfiguration=place)
            return blobs

        yield of


def keys(blobs: S3Blobs) -> list[str]:
    """Every key of which the bucket keeps a version."""
    page = blobs.client.list_object_versions(Bucket=blobs.bucket)
    return [one["Key"] for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]]


class TestS3Blobs(BlobStoreContract):
    @pytest.fixture
    async def blobs(self, opened: Callable[..., Awaitable[S3Blobs]]) -> S3Blobs:
        return await opened()

    async def test_what_goes_up_in_parts_comes_back_whole(self, blobs):
        content = bytes(range(256)) * 80_000

        await put(blobs, KEY, content)

        assert await get(blobs, KEY) == content

    async def test_the_file_handed_over_stays_open(self, blobs):
        content = BytesIO(b"text")

        await blobs.put(KEY, content)

        assert not content.closed

    async def test_nothing_is_left_of_the_local_copy(self, blobs):
        await put(blobs, KEY, b"text")

        async with blobs.local(KEY) as file:
            assert file.exists()

        assert not file.exists()

    async def test_stores_of_two_prefixes_share_a_bucket(self, opened, blobs):
        one, other = [await opened(blobs.bucket, prefix=one) for one in ("one/", "other")]
        await put(one, KEY, b"text")
        await put(other, KEY, b"another")

        await one.purge("w1")

        assert await get(other, KEY) == b"another"
        assert keys(blobs) == [f"other/{KEY}"]

    async def test_a_purge_erases_former_versions_too(self, blobs):
        blobs.client.put_bucket_versioning(
            Bucket=blobs.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        await put(blobs, KEY, b"one")
        await put(blobs, KEY, b"two")
        blobs.client.delete_object(Bucket=blobs.bucket, Key=KEY)

        await blobs.purge("w1/d1")

        assert keys(blobs) == []

    async def test_more_objects_than_one_page_are_purged(self, blobs):
        await asyncio.gather(*(put(blobs, f"w1/d{at}/0f3a", b"text") for at in range(1050)))

        await blobs.purge("w1")

        assert keys(blobs) == []

    async def test_a_ping_is_answered_for_as_long_as_the_bucket_is_there(self, blobs):
        answered = await asyncio.gather(blobs.ping(), return_exceptions=True)
        blobs.client.delete_bucket(Bucket=blobs.bucket)

        assert answered == [None]
        with pytest.raises(Unavailable):
            await blobs.ping()

    async def test_a_bucket_that_is_missing_is_unavailable(self, opened):
        missing = await opened("no-such-bucket")

        for use in (
            missing.ping(),
            put(missing, KEY, b"text"),
            missing.purge("w1"),
        ):
            with pytest.raises(Unavailable):
                await use

    async def test_a_server_that_does_not_answer_is_unavailable(self, opened):
        gone = await opened("bucket", url="http://127.0.0.1:9")

        for use in (gone.ping(), put(gone, KEY, b"text"), get(gone, KEY), gone.purge("w1")):
            with pytest.raises(Unavailable):
                await use
