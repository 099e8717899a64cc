"""Original files in a bucket that speaks S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final, TypeVar

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.domain.errors import NotFound, Unavailable

Result = TypeVar("Result")

MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Blobs:
    """`orchestrator.ports.blobs.BlobStore` in one bucket, below `prefix`.

    An object appears whole or not at all; large ones go up in parts. A purge erases every version
    of an object, so that a versioned bucket keeps nothing either.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self.client = client
        self.bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    async def put(self, key: str, content: BinaryIO) -> None:
        """Upload it, in parts if it is large."""
        await _call(lambda: self.client.upload_fileobj(_Kept(content), self.bucket, self._of(key)))

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        """A copy in a temporary folder."""
        with TemporaryDirectory(prefix="rag-blob-") as folder:
            path = Path(folder) / "content"
            await _call(
                lambda: self.client.download_file(self.bucket, self._of(key), str(path)), key
            )
            yield path

    async def purge(self, prefix: str) -> None:
        """Delete every version of every object below it, a page at a time."""
        await _call(lambda: self._purge(f"{self._of(prefix)}/"))

    async def ping(self) -> None:
        """Make sure that the bucket is there."""
        await _call(lambda: self.client.head_bucket(Bucket=self.bucket))

    def _of(self, key: str) -> str:
        return f"{self._prefix}{key}"

    def _purge(self, prefix: str) -> None:
        while True:  # the first page each time: a marker that was deleted is no place to go on from
            page = self.client.list_object_versions(Bucket=self.bucket, Prefix=prefix)
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            doomed = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if not doomed:
                return
            done = self.client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": doomed, "Quiet": True}
            )
            if errors := done.get("Errors"):
                raise Unavailable("blobs", f"{len(errors)} objects could not be deleted")


class _Kept:
    """Hides `close` from the uploader, which would close the caller's file."""

    def __init__(self, content: BinaryIO) -> None:
        self.read = content.read


@asynccontextmanager
async def open_s3(
    *,
    bucket: str,
    prefix: str,
    endpoint_url: str | None,
    region: str | None,
    access_key: str | None,
    secret_key: str | None,
    timeout_s: float,
) -> AsyncIterator[S3Blobs]:
    """A client of one bucket; without keys, those of the environment or of the machine's role."""
    client = await asyncio.to_thread(  # looking for keys may ask the machine's metadata service
        boto3.session.Session().client,
        "s3",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(
            connect_timeout=timeout_s, read_timeout=timeout_s, retries={"mode": "standard"}
        ),
    )
    try:
        yield S3Blobs(client, bucket, prefix)
    finally:
        await asyncio.to_thread(client.close)


async def _call(work: Callable[[], Result], key: str = "") -> Result:
    try:
        return await asyncio.to_thread(work)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if key and code in MISSING:
            raise NotFound(f"no blob is stored under '{key}'") from error
        raise Unavailable("blobs", f"S3 answered {code or 'an error'}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise Unavailable("blobs", str(error)) from error
