"""The migrations make the tables that the code expects, and carry over what was there."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapters.catalog.database import MIGRATIONS
from adapters.catalog.schema import HEAD, metadata
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from orchestrator.domain.documents import Status
from orchestrator.domain.quotas import Holding


def config():
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


def migrated(path, revision):
    """Bring the database to the revision, from wherever it is."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)
    engine.dispose()


def test_the_code_expects_the_newest_migration():
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]


def test_the_migrations_make_the_tables_of_the_code(tmp_path):
    path = tmp_path / "catalog.db"
    migrated(path, "head")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_a_migration_can_be_taken_back(tmp_path):
    path = tmp_path / "catalog.db"
    migrated(path, "head")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, "0001")
        left = sqlalchemy.inspect(connection)
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        columns = {column["name"] for column in left.get_columns("chunks")}
        tables = set(left.get_table_names())
    engine.dispose()

    assert version == "0001"
    assert "documents" in tables
    assert not {"sketches", "batches", "holdings", "replies"} & tables
    assert "asked" not in columns

    migrated(path, "head")


@pytest.fixture
def before(tmp_path):
    """A catalog of the first tables: one document at its second version, one that failed."""
    path = tmp_path / "catalog.db"
    migrated(path, "0001")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST)
    return path


FIRST = """
INSERT INTO workspaces VALUES ('w', 'default', 3, 1, 1.0, NULL);
INSERT INTO configurations VALUES ('w', 1, '{}', 1.0);
INSERT INTO documents (id, workspace, source_id, title, metadata, acl, status, error, version,
    chunks, revision, created_at, updated_at)
  VALUES ('d', 'w', 'a.txt', 'A', '{}', '["everyone"]', 'indexed', NULL, 2, 2, 2, 1.0, 2.0),
         ('f', 'w', 'b.txt', '', '{}', '["everyone"]', 'failed', 'damaged', 1, 0, 0, 1.0, 2.0);
INSERT INTO versions VALUES ('d', 1, 'A', 'text/plain', 3, 'aa', 'w/d/aa', 1.0),
                            ('d', 2, 'A', 'text/plain', 3, 'bb', 'w/d/bb', 2.0),
                            ('f', 1, '', 'text/plain', 3, 'cc', 'w/f/cc', 1.0);
INSERT INTO chunks (workspace, document_id, version, generation, text, text_hash, start, "end",
    added, removed, removed_at)
  VALUES ('w', 'd', 1, 1, 'old', x'01', 0, 3, 1, 2, 2.0),
         ('w', 'd', 2, 1, 'new', x'02', 0, 3, 2, NULL, NULL),
         ('w', 'd', 2, 1, 'text', x'03', 5, 9, 2, NULL, NULL);
"""


async def test_what_was_there_has_a_history(before):
    async with open_sqlite(before) as database:
        catalog = SqlCatalog(database)
        document = await catalog.documents.get("d")
        new, old = await catalog.versions.list("d", before=None, limit=9)
        (failed,) = await catalog.versions.list("f", before=None, limit=9)

    assert (document.status, document.reading, document.stage) == (Status.INDEXED, None, None)
    assert document.queued_at is not None
    assert (new.status, new.chunks) == (Status.INDEXED, 2)
    assert (old.status, old.chunks) == (None, None)
    assert failed.status is Status.FAILED


async def test_a_failure_of_before_has_a_reason_and_no_code(before):
    async with open_sqlite(before) as database:
        failed = await SqlCatalog(database).documents.get("f")

    assert (failed.error, failed.error_code) == ("damaged", None)


async def test_what_was_there_is_counted(before):
    async with open_sqlite(before) as database:
        catalog = SqlCatalog(database)
        held = await catalog.documents.holding("w")
        (first, *_) = await catalog.chunks.of("d", generation=1, after=0, limit=9)

    assert held == Holding(2, 6)
    assert not first.asked
