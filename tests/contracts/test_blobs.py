"""Blob stores give back what was put, and erase what is purged."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.blobs.filesystem import FilesystemBlobs
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
