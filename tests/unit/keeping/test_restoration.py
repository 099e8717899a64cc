"""A restoration verifies everything first, and then replaces everything or nothing."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tarfile
from contextlib import closing
from io import BytesIO

import pytest

from adapters.catalog.keeping import SqliteKeeper
from adapters.lease import FileLease
from orchestrator.domain.errors import Conflict, NotFound, Rejected, Unavailable

PARTS = ["catalog.db", "blobs-00001.tar"]


def resealed(folder, change):
    """Change what the manifest says, and its checksum."""
    path = folder / "manifest.json"
    said = json.loads(path.read_text())["backup"]
    change(said)
    written = json.dumps(said, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(written.encode()).hexdigest()
    path.write_text(json.dumps({"backup": said, "sha256": digest}))


def repacked(folder, entries):
    """Put other entries into the part, and let the manifest vouch for it."""
    path = folder / "blobs-00001.tar"
    with tarfile.open(path, "w") as archive:
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content))
    described(folder, path.name)


def described(folder, name):
    content = (folder / name).read_bytes()

    def change(said):
        for part in said["parts"]:
            if part["name"] == name:
                part |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    resealed(folder, change)


async def refused(another, source, complaint):
    """Refused with that complaint, and without a trace."""
    with pytest.raises(Rejected, match=complaint):
        await another.restore(source)
    assert not (another.data / "catalog.db").exists()
    assert not (another.data / "blobs").exists()
    assert not (another.data / "restoring").exists()


async def test_everything_is_as_it_was(deployment, another, made):
    restored = await another.restore(made)

    assert not restored.replaced
    assert await another.texts() == await deployment.texts()
    assert not (another.data / "restoring").exists()


@pytest.mark.parametrize("name", PARTS)
async def test_a_flipped_bit_is_found(another, made, name):
    content = bytearray((made / name).read_bytes())
    content[len(content) // 2] ^= 1
    (made / name).write_bytes(content)

    await refused(another, made, f"the checksum of {name} is another")


@pytest.mark.parametrize("name", PARTS)
async def test_a_truncated_part_is_found(another, made, name):
    content = (made / name).read_bytes()
    (made / name).write_bytes(content[:-1])

    await refused(another, made, f"{name} has {len(content) - 1} bytes")


@pytest.mark.parametrize("name", PARTS)
async def test_a_missing_part_is_found(another, made, name):
    (made / name).unlink()

    await refused(another, made, f"{name} is missing")


async def test_a_part_that_is_a_link_is_none(another, made, tmp_path):
    (made / "catalog.db").rename(tmp_path / "elsewhere")
    (made / "catalog.db").symlink_to(tmp_path / "elsewhere")

    await refused(another, made, "catalog.db is missing")


async def test_without_a_manifest_it_is_no_backup(another, made):
    (made / "manifest.json").unlink()

    with pytest.raises(NotFound, match="is not a backup"):
        await another.restore(made)


async def test_a_changed_manifest_is_found(another, made):
    path = made / "manifest.json"
    path.write_text(path.read_text().replace('"files": 2', '"files": 3'))

    await refused(another, made, "its checksum is another")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"backup": {}}', b"\xff"])
async def test_a_manifest_that_is_none_is_refused(another, made, content):
    (made / "manifest.json").write_bytes(content)

    await refused(another, made, "damaged")


async def test_a_newer_format_is_refused(another, made):
    resealed(made, lambda said: said.update(format=2))

    await refused(another, made, "format 2")


async def test_a_newer_catalog_is_refused(another, made):
    with closing(sqlite3.connect(made / "catalog.db")) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    described(made, "catalog.db")

    await refused(another, made, "newer version")


@pytest.mark.parametrize("name", ["../catalog.db", "/etc/passwd", "blobs-1.tar", "blobs-00001.tar"])
async def test_a_strange_name_of_a_part_is_refused(another, made, name):
    resealed(made, lambda said: said["parts"].append({"name": name, "bytes": 0, "sha256": ""}))

    await refused(another, made, "names parts that no backup has")


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "strange/file/name"])
async def test_a_file_of_a_strange_name_is_refused(another, made, name):
    repacked(made, [(tarfile.TarInfo(name), b"text")])

    await refused(another, made, "a file that no document has")


async def test_what_is_no_file_is_refused(another, made):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    repacked(made, [(link, b"")])

    await refused(another, made, "what is no file")


async def test_a_backup_without_the_files_of_its_catalog_is_refused(another, made):
    repacked(made, [])

    await refused(another, made, "lacks 2 files")


async def test_what_is_there_is_replaced_only_if_wanted(another, made):
    await another.ingest(old="An old text.")

    with pytest.raises(Rejected, match="there are 1 documents in 1 workspaces already"):
        await another.restore(made)
    assert await another.texts() == ["An old text."]
    restored = await another.restore(made, replace=True)

    assert restored.replaced
    assert await another.texts() == ["The first text.", "The second text."]


async def test_an_untouched_deployment_needs_no_leave(another, made):
    async with another.open():
        pass

    assert not (await another.restore(made)).replaced


async def test_whoever_holds_the_lease_is_not_disturbed(another, made):
    lease = FileLease(another.settings.indexes_dir / "lease")
    assert lease.acquire()

    with pytest.raises(Conflict, match="a server uses the data folder"):
        await another.restore(made)
    lease.release()
    await another.restore(made)


async def test_whoever_uses_the_catalog_is_not_disturbed(another, made):
    async with another.open(writes=False):
        with pytest.raises(Conflict, match="uses the catalog"):
            await another.restore(made)

    await another.restore(made)


async def test_local_indexes_are_dropped(another, made):
    stale = another.settings.indexes_dir / "faiss-default" / "workspace"
    stale.mkdir(parents=True)

    await another.restore(made)

    assert [path.name for path in another.settings.indexes_dir.iterdir()] == ["lease"]


async def test_what_fails_in_the_end_leaves_the_old_and_can_be_repeated(another, made, monkeypatch):
    await another.ingest(old="An old text.")

    async def failing(self, path):
        raise Unavailable("catalog", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteKeeper, "replace", failing)
        with pytest.raises(Unavailable):
            await another.restore(made, replace=True)
    async with another.open() as application:
        uid = (await application.catalog.workspaces.get("default")).uid
        assert list(await application.catalog.documents.known(uid, ["old"])) == ["old"]

    await another.restore(made, replace=True)

    assert await another.texts() == ["The first text.", "The second text."]


async def test_a_new_catalog_is_beyond_the_one_that_it_replaces(another, made):
    for _ in range(2):
        await another.restore(made, replace=True)
    async with another.open() as application:
        once = (await application.catalog.workspaces.get("default")).revision

    await another.restore(made, replace=True)

    async with another.open() as application:
        assert (await application.catalog.workspaces.get("default")).revision > once
