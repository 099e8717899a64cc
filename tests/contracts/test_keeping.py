"""Catalogs are copied and replaced as a whole, from SQLite and PostgreSQL to either of them."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from adapters.catalog.copies import MOST, REVISIONS, SqliteCopies
from adapters.catalog.keeping import PostgresKeeper, SqliteKeeper
from adapters.catalog.postgresql import open_postgresql
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from adapters.presence import Presence
from adapters.queue.local import LocalQueue
from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.copying import KeeperContract, Use
from orchestrator.domain.errors import NotFound, Rejected
from orchestrator.ports.keeping import NOTHING

Opened = tuple[SqlCatalog, LocalQueue]


def using(opened: Callable[[], AbstractAsyncContextManager[Any]], folder: Path) -> Use:
    @asynccontextmanager
    async def use() -> AsyncIterator[Opened]:
        with closing(Presence(folder / "workers")) as presence:
            async with opened() as database:
                yield SqlCatalog(database), LocalQueue(database, presence)

    return use


@pytest.fixture
def copies() -> SqliteCopies:
    return SqliteCopies()


@pytest.fixture
async def new_url(postgresql: Any) -> AsyncIterator[Callable[[], str]]:
    """The URLs of new databases, which go in the end."""
    names = []

    def made() -> str:
        names.append(f"kept_{uuid.uuid4().hex}")
        postgresql.psql(f"CREATE DATABASE {names[-1]};")
        return postgresql.get_uri(names[-1])

    yield made
    for name in names:
        postgresql.psql(f"DROP DATABASE {name} WITH (FORCE);")


class InSqlite:
    @pytest.fixture
    def keeper(self, path: Path) -> SqliteKeeper:
        return SqliteKeeper(path)

    @pytest.fixture
    def use(self, path: Path, tmp_path: Path) -> Use:
        return using(lambda: open_sqlite(path), tmp_path)


class InPostgresql:
    @pytest.fixture
    def url(self, new_url: Callable[[], str]) -> str:
        return new_url()

    @pytest.fixture
    async def keeper(self, url: str) -> AsyncIterator[PostgresKeeper]:
        async with open_postgresql(url, timeout_s=10, application="keeper") as database:
            yield PostgresKeeper(database)

    @pytest.fixture
    def use(self, url: str, tmp_path: Path) -> Use:
        return using(lambda: open_postgresql(url, timeout_s=10), tmp_path)


class ToSqlite:
    @pytest.fixture
    def other(self, tmp_path: Path) -> SqliteKeeper:
        return SqliteKeeper(tmp_path / "other" / "catalog.db")

    @pytest.fixture
    def use_other(self, tmp_path: Path) -> Use:
        path = tmp_path / "other" / "catalog.db"
        return using(lambda: open_sqlite(path), tmp_path / "other")


class ToPostgresql:
    @pytest.fixture
    def other_url(self, new_url: Callable[[], str]) -> str:
        return new_url()

    @pytest.fixture
    async def other(self, other_url: str) -> AsyncIterator[PostgresKeeper]:
        async with open_postgresql(other_url, timeout_s=10, application="keeper") as database:
            yield PostgresKeeper(database)

    @pytest.fixture
    def use_other(self, other_url: str, tmp_path: Path) -> Use:
        return using(lambda: open_postgresql(other_url, timeout_s=10), tmp_path / "other")


class TestSqliteToSqlite(InSqlite, ToSqlite, KeeperContract):
    """The default."""


class TestSqliteToPostgresql(InSqlite, ToPostgresql, KeeperContract):
    """A laptop's documents in a cluster."""


class TestPostgresqlToPostgresql(InPostgresql, ToPostgresql, KeeperContract):
    """A cluster."""


class TestPostgresqlToSqlite(InPostgresql, ToSqlite, KeeperContract):
    """A cluster's documents on a laptop."""


async def test_where_there_is_no_catalog_there_is_nothing_to_copy(tmp_path):
    keeper = SqliteKeeper(tmp_path / "nowhere" / "catalog.db")

    with pytest.raises(NotFound):
        await keeper.copy(tmp_path / "copy.db")
    await keeper.require_alone()


async def test_null_and_no_value_of_json_stay_apart(new_url, copies, tmp_path):
    from sqlalchemy import text

    one, two = new_url(), new_url()
    async with open_postgresql(one, timeout_s=10) as database, database.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO replies (subject, key, fingerprint, workspace, location, body,"
                " claimed_until, created_at) VALUES ('a', 'null', '', '', '/', 'null', 0, 0),"
                " ('a', 'nothing', '', '', '/', NULL, 0, 0),"
                " ('a', 'some', '', '', '/', '{\"b\":  [1e3, \"\\u00df\"]}', 0, 0)"
            )
        )
    async with open_postgresql(one, timeout_s=10, application="keeper") as database:
        await PostgresKeeper(database).copy(tmp_path / "copy.db")
    await copies.renew(tmp_path / "copy.db", beyond=NOTHING)
    async with open_postgresql(two, timeout_s=10, application="keeper") as database:
        await PostgresKeeper(database).replace(tmp_path / "copy.db")
        async with database.read() as connection:
            rows = await connection.execute(
                text("SELECT key, CAST(body AS text) AS body FROM replies")
            )
            bodies = {row.key: row.body for row in rows}

    assert bodies == {"null": "null", "nothing": None, "some": '{"b":  [1e3, "\\u00df"]}'}


async def test_a_replacement_that_fails_leaves_everything(new_url, copies, tmp_path):
    url, copy = new_url(), tmp_path / "copy.db"
    use = using(lambda: open_postgresql(url, timeout_s=10), tmp_path)
    async with use() as (catalog, queue):
        kept = await (await Clerk.of(catalog, queue)).keep("One.")
    async with open_postgresql(url, timeout_s=10, application="keeper") as database:
        keeper = PostgresKeeper(database)
        await keeper.copy(copy)
        with closing(sqlite3.connect(copy)) as file:
            file.execute("UPDATE versions SET size = 1 << 40")  # no integer of PostgreSQL's
            file.commit()
        with pytest.raises(Rejected, match="does not fit"):
            await keeper.replace(copy)

    async with use() as (catalog, _):
        assert await catalog.documents.get(kept.id) == kept


@pytest.fixture
async def copy(path, copies, tmp_path) -> Path:
    async with using(lambda: open_sqlite(path), tmp_path)() as (catalog, queue):
        await (await Clerk.of(catalog, queue)).keep("One.")
        await SqliteKeeper(path).copy(tmp_path / "copy.db")
    return tmp_path / "copy.db"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer version"),
        ("UPDATE alembic_version SET version_num = '*'", "no version"),
        ("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM chunks; END", "trigger 't'"),
        ("CREATE VIEW v AS SELECT 1", "view 'v'"),
        ("CREATE TABLE strange (a)", "table 'strange'"),
        ("DROP TABLE alembic_version", "cannot be read"),
    ],
)
async def test_what_is_no_copy_is_refused(copy, copies, change, complaint):
    with closing(sqlite3.connect(copy)) as file:
        file.execute(change)
        file.commit()

    with pytest.raises(Rejected, match=complaint):
        await copies.contents(copy)


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
async def test_what_is_no_database_is_refused(tmp_path, copies, content):
    path = tmp_path / "copy.db"
    path.write_bytes(content)

    with pytest.raises(Rejected, match="cannot be read"):
        await copies.contents(path)


async def test_a_damaged_page_is_found(copy, copies):
    content = bytearray(copy.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    for page in range(3, len(content) // size):
        content[page * size : page * size + 16] = bytes(range(200, 216))
    copy.write_bytes(content)

    with pytest.raises(Rejected, match=r"damaged|cannot be read"):
        await copies.contents(copy)


async def test_a_workspace_without_revisions_left_is_refused(copy, copies):
    with closing(sqlite3.connect(copy)) as file:
        file.execute("UPDATE workspaces SET revision = ?", (MOST - REVISIONS + 1,))
        file.commit()

    with pytest.raises(Rejected, match="too often"):
        await copies.renew(copy, beyond=NOTHING)


async def test_an_older_copy_is_migrated(copies, tmp_path):
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    from adapters.catalog.database import MIGRATIONS

    path, made = tmp_path / "old.db", Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        made.attributes["connection"] = connection
        command.upgrade(made, "0001")
        connection.exec_driver_sql(
            "INSERT INTO workspaces VALUES ('u', 'default', 3, 1, 0.0, NULL)"
        )
    engine.dispose()
    old = await copies.contents(path)

    await copies.renew(path, beyond=old)

    new = await copies.contents(path)
    assert (old.schema, old.revisions) == ("0001", {"u": 3})
    assert new.schema > old.schema
    assert new.revisions == {"u": 3 + REVISIONS}
