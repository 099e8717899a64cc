"""A backup is complete or is not there, and tells what it is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from io import BytesIO
from types import SimpleNamespace

import pytest

from orchestrator.domain.errors import Conflict, Exhausted, NotFound, Rejected, Unavailable
from orchestrator.keeping import backup as backups
from orchestrator.keeping import packing
from orchestrator.keeping.manifest import read


class Halting:
    """Calls something once it is known how many files there are."""

    def __init__(self, call):
        self.call = call
        self.sizes = []

    def begin(self, files):
        self.files = files
        self.call()

    def advance(self, size):
        self.sizes.append(size)


async def test_it_is_for_its_owner_alone_and_tells_what_is_in_it(made):
    manifest = read(made)

    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}
    assert {path.name for path in made.iterdir()} == {
        "manifest.json", "catalog.db", "blobs-00001.tar",
    }  # fmt: skip
    assert (manifest.files, manifest.rows["documents"]) == (2, 2)
    assert manifest.revisions == {"default": 2}


async def test_nothing_is_overwritten(deployment, made):
    before = (made / "manifest.json").read_bytes()

    with pytest.raises(Rejected, match="overwrites nothing"):
        await deployment.backup(made)

    assert (made / "manifest.json").read_bytes() == before


async def test_where_nothing_is_kept_nothing_is_backed_up(another, tmp_path):
    with pytest.raises(NotFound, match="there is no catalog"):
        await another.backup(tmp_path / "backup")

    assert not list(tmp_path.glob("*backup*"))


async def test_an_interrupted_backup_leaves_nothing(deployment, tmp_path):
    await deployment.ingest(one="The first text.")

    def interrupt():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await deployment.backup(tmp_path / "backup", Halting(interrupt))

    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_a_folder_that_is_not_there_is_unavailable(deployment, tmp_path):
    with pytest.raises(Unavailable, match="nowhere"):
        await deployment.backup(tmp_path / "nowhere" / "backup")


async def test_a_full_disk_is_told_before_files_are_copied(deployment, tmp_path, monkeypatch):
    await deployment.ingest(one="The first text.")
    monkeypatch.setattr(backups.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))

    with pytest.raises(Exhausted, match="1 left"):
        await deployment.backup(tmp_path / "backup")

    assert not list(tmp_path.glob("*backup*"))


async def test_a_lost_file_is_an_error(deployment, tmp_path):
    await deployment.ingest(one="The first text.")
    (file,) = [path for path in (deployment.data / "blobs").rglob("*") if path.is_file()]
    file.unlink()

    with pytest.raises(Conflict, match="original files of 1 documents are missing"):
        await deployment.backup(tmp_path / "backup")

    assert not list(tmp_path.glob("*backup*"))


async def test_what_is_deleted_meanwhile_is_not_in_it(deployment, another, tmp_path):
    await deployment.ingest(one="The first text.", two="The second text.")
    async with deployment.open() as application:
        workspace = await application.catalog.workspaces.get("default")
        known = await application.catalog.documents.known(workspace.uid, ["one"])
        doomed = known["one"]

        def delete():
            (file,) = (deployment.data / "blobs" / workspace.uid / doomed.id).iterdir()
            file.unlink()
            with closing(sqlite3.connect(deployment.data / "catalog.db")) as live:
                live.execute("UPDATE documents SET deleted_at = 1 WHERE id = ?", (doomed.id,))
                live.commit()

        manifest = await deployment.backup(tmp_path / "backup", Halting(delete))

    assert manifest.files == 1
    content = (tmp_path / "backup" / "catalog.db").read_bytes()
    assert b"The second text." in content
    assert b"The first text." not in content
    await another.restore(tmp_path / "backup")
    assert await another.texts() == ["The second text."]


async def test_it_tells_how_far_it_is(deployment, tmp_path):
    await deployment.ingest(one="The first text.", two="The second text.")
    watch = Halting(lambda: None)

    await deployment.backup(tmp_path / "backup", watch)

    assert (watch.files, sorted(watch.sizes)) == (2, [15, 16])


async def test_files_are_spread_over_parts(deployment, another, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "PART_BYTES", 1)
    await deployment.ingest(one="The first text.", two="The second text.")

    manifest = await deployment.backup(tmp_path / "backup")

    assert manifest.parts_of("blobs") == ["blobs-00001.tar", "blobs-00002.tar"]
    await another.restore(tmp_path / "backup")
    assert await another.texts() == ["The first text.", "The second text."]


async def test_the_quarantine_is_in_it(deployment, another, tmp_path):
    await deployment.ingest(bad="Harmful.")
    with closing(sqlite3.connect(deployment.data / "catalog.db")) as file:
        ((key,),) = file.execute("SELECT blob_key FROM versions")
        file.execute("UPDATE versions SET status = 'failed'")
        file.commit()
    async with deployment.open():
        folder = (deployment.data / "quarantine" / key).parent
        folder.mkdir(parents=True)
        (deployment.data / "quarantine" / key).write_text("Harmful.")
        (deployment.data / "quarantine" / f"{key}.json").write_bytes(BytesIO(b"{}").read())

    manifest = await deployment.backup(tmp_path / "backup")
    await another.restore(tmp_path / "backup")

    assert manifest.quarantined == 2
    assert (another.data / "quarantine" / key).read_text() == "Harmful."
    assert json.loads((another.data / "quarantine" / f"{key}.json").read_text()) == {}
