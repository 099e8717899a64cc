"""The SQLite catalog keeps every promise of a catalog, and erases what it deletes from its file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.catalog.database import Database
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from adapters.queue.local import LocalQueue
from orchestrator.contracts.catalog import CatalogContract
from orchestrator.contracts.clerk import Clerk, vector_of
from orchestrator.contracts.deletions import key_of
from orchestrator.domain.analytics import Counted
from orchestrator.domain.documents import Reading
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.likeness import sketch
from orchestrator.domain.sessions import Cited, Exchange
from orchestrator.domain.workspaces import Chunking, WorkspaceConfig


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture
    async def another(self, path: Path) -> AsyncIterator[SqlCatalog]:
        async with open_sqlite(path) as database:
            yield SqlCatalog(database)


@pytest.fixture
async def clerk(catalog: SqlCatalog, queue: LocalQueue) -> Clerk:
    return await Clerk.of(catalog, queue)


async def test_a_database_is_made_where_there_is_none(tmp_path, presence):
    path = tmp_path / "new" / "catalog.db"
    async with open_sqlite(path) as database:
        clerk = await Clerk.of(SqlCatalog(database), LocalQueue(database, presence))
        document = await clerk.keep("Refunds are paid.")

    async with open_sqlite(path) as database:
        assert await SqlCatalog(database).documents.get(document.id) == document


async def test_chunk_ids_are_not_used_again_after_a_restart(path, presence):
    async with open_sqlite(path) as database:
        clerk = await Clerk.of(SqlCatalog(database), LocalQueue(database, presence))
        document = await clerk.keep("One.", "Two.")
        used = await clerk.chunk_ids()
        await clerk.catalog.deletions.document(document.id)

    async with open_sqlite(path) as database:
        catalog = SqlCatalog(database)
        again = Clerk(
            catalog, LocalQueue(database, presence), await catalog.workspaces.by_uid(clerk.uid)
        )
        await again.keep("Three.", source_id="b")

        assert min(await again.chunk_ids()) > max(used)


async def test_a_configuration_from_before_the_choice_of_chunking_follows_the_structure(
    path, catalog, clerk
):
    stored = json.dumps({"depth": 50, "chunking": {"kind": "recursive", "tokens": 64}})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE configurations SET body = ?", (stored,))

    config = (await catalog.workspaces.get(clerk.name)).config

    assert config == WorkspaceConfig(chunking=Chunking("structure", tokens=64), depth=50)
    assert await catalog.workspaces.configurations(clerk.name) == {1: config}


SECRET = "The xylograph of Samarkand is kept in the vault."
TITLE = "Inventory of the vault"
OWNER = "ada@example.org"
AUTHOR = "Grace of Samarkand"
TRACES = {
    "text": SECRET.encode(),
    "a superseded version's text": SECRET.replace("kept", "hidden").encode(),
    "title": TITLE.encode(),
    "metadata": OWNER.encode(),
    "what the file says of itself": AUTHOR.encode(),
    "vector": vector_of(key_of(SECRET, TITLE)).tobytes(),
}


@pytest.mark.parametrize("what", TRACES)
@pytest.mark.parametrize("how", ["document", "workspace"])
async def test_what_was_deleted_is_no_longer_in_the_file(path, catalog, clerk, what, how):
    await clerk.keep(SECRET.replace("kept", "hidden"), title=TITLE, metadata={"owner": OWNER})
    await clerk.hand_in(SECRET, title=TITLE, metadata={"owner": OWNER})
    document = await clerk.publish(
        SECRET, title=TITLE, reading=Reading(properties={"author": AUTHOR})
    )
    await clerk.keep("Refunds are paid.", source_id="kept.txt", title="Kept")
    before = checkpointed(path)

    match how:
        case "document":
            await catalog.deletions.document(document.id)
        case "workspace":
            await catalog.deletions.erase(await catalog.deletions.workspace(clerk.name))

    assert TRACES[what] in before
    assert TRACES[what] not in checkpointed(path)


@pytest.mark.parametrize("how", ["document", "workspace"])
async def test_the_sketch_of_what_was_deleted_is_no_longer_in_the_file(path, catalog, clerk, how):
    document = await clerk.keep(SECRET)
    hashes = [one.to_bytes(8) for one in sketch(SECRET)]
    before = checkpointed(path)

    match how:
        case "document":
            await catalog.deletions.document(document.id)
        case "workspace":
            await catalog.deletions.erase(await catalog.deletions.workspace(clerk.name))

    after = checkpointed(path)
    assert all(one in before for one in hashes)
    assert not any(one in after for one in hashes)


@pytest.mark.parametrize("what", ["text", "vector"])
async def test_what_was_superseded_and_swept_is_no_longer_in_the_file(path, catalog, clerk, what):
    await clerk.keep(SECRET, title=TITLE)
    await clerk.keep("Nothing is kept.")
    before = checkpointed(path)
    await catalog.log.sweep(seconds=-1)

    assert TRACES[what] in before
    assert TRACES[what] not in checkpointed(path)


async def test_a_database_that_another_has_locked_for_long_is_unavailable(path, catalog, clerk):
    async with catalog._database.write() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Unavailable):
            await clerk.hand_in()
        assert (await catalog.workspaces.get(clerk.name)).uid == clerk.uid
    finally:
        locker.execute("ROLLBACK")
        locker.close()

    assert not (await clerk.hand_in()).duplicate


async def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database" * 100)

    with pytest.raises(Unavailable):
        await open_sqlite(path).__aenter__()


async def test_a_write_that_fails_leaves_nothing(catalog, clerk):
    async def write() -> None:
        async with catalog._database.write() as connection:
            await connection.exec_driver_sql("UPDATE workspaces SET revision = 41")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()
    assert await clerk.revision() == 0


@pytest.mark.parametrize("how", ["retention", "workspace"])
async def test_a_question_that_was_erased_is_no_longer_in_the_file(path, catalog, clerk, how):
    counted = Counted(clerk.uid, date(2026, 1, 1), "none", SECRET)
    await catalog.analytics.add({counted: 1}, texts=9)
    before = checkpointed(path)

    if how == "retention":
        await catalog.analytics.forget(date(2026, 1, 2))
    else:
        await catalog.deletions.erase(await catalog.deletions.workspace(clerk.name))

    assert SECRET.encode() in before
    assert SECRET.encode() not in b"".join(one.read_bytes() for one in path.parent.glob("catalog*"))


@pytest.mark.parametrize("how", ["document", "session", "retention", "workspace"])
async def test_an_answer_that_was_erased_is_no_longer_in_the_file(path, catalog, clerk, how):
    document = await clerk.keep("Refunds are paid.")
    session = await catalog.sessions.create(clerk.uid, "ada", title=None)
    said = Exchange("Paid?", SECRET, True, (Cited(document.id, "1", True),))
    await catalog.sessions.append(session.id, said)
    before = checkpointed(path)

    match how:
        case "document":
            await catalog.deletions.document(document.id)
            await catalog.deletions.record(document.id, {"cache": "purged"})
        case "session":
            await catalog.sessions.delete(session.id, subject="ada")
        case "retention":
            await catalog.sessions.forget(datetime.now(UTC) + timedelta(hours=1))
        case "workspace":
            await catalog.deletions.erase(await catalog.deletions.workspace(clerk.name))

    assert SECRET.encode() in before
    assert SECRET.encode() not in b"".join(one.read_bytes() for one in path.parent.glob("catalog*"))


async def test_an_answer_that_comes_after_a_deletion_never_reaches_the_file(path, catalog, clerk):
    document = await clerk.keep("Refunds are paid.")
    session = await catalog.sessions.create(clerk.uid, "ada", title=None)
    await catalog.deletions.document(document.id)
    said = Exchange("Paid at last?", SECRET, True, (Cited(document.id, "1", True),))
    await catalog.sessions.append(session.id, said)

    assert b"Paid at last?" in checkpointed(path)
    assert SECRET.encode() not in checkpointed(path)


def checkpointed(path: Path) -> bytes:
    """Every byte of the database's files, once the write-ahead log has been folded in."""
    connection = sqlite3.connect(path)
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert not busy
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


async def test_a_file_that_another_process_recovers_is_waited_for(tmp_path, monkeypatch):
    opened, refusals = Database.open, [Unavailable("catalog", "database is locked")] * 3

    async def refused_at_first(self):
        if refusals:
            raise refusals.pop()
        await opened(self)

    monkeypatch.setattr(Database, "open", refused_at_first)

    async with open_sqlite(tmp_path / "catalog.db") as database:
        assert await SqlCatalog(database).workspaces.list() == []


async def test_a_file_that_cannot_be_opened_for_another_reason_is_not_waited_for(
    tmp_path, monkeypatch
):
    async def refused(self):
        raise Unavailable("catalog", "unable to open database file")

    monkeypatch.setattr(Database, "open", refused)

    async with asyncio.timeout(60):
        with pytest.raises(Unavailable, match="unable"):
            async with open_sqlite(tmp_path / "catalog.db"):
                pass
