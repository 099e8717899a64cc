"""Copies of catalogs: each is a SQLite database in one file, whatever it was copied from."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from adapters.catalog.database import MIGRATIONS, translated
from adapters.catalog.schema import HEAD, metadata
from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from orchestrator.domain.errors import Conflict, Rejected
from orchestrator.ports.keeping import Contents, Original

COUNTED: Final = ("chunks", "jobs")
"""The tables whose ids are never used again."""
IDS: Final = 1_000_000_000
REVISIONS: Final = 10_000_000
"""More than can have been given away between a backup and its restoration."""
MOST: Final = 2**31 - 1
"""PostgreSQL's largest `integer`, which a revision is."""
BATCH: Final = 500

_ORIGINALS: Final = """
SELECT versions.document_id, versions.blob_key, max(versions.size),
       max(coalesce(versions.status, '') = 'failed')
FROM versions JOIN documents ON documents.id = versions.document_id
WHERE documents.deleted_at IS NULL
GROUP BY versions.blob_key ORDER BY versions.blob_key
"""
_FREED: Final = (
    """
    UPDATE jobs SET attempts = attempts - (claimed_by IS NOT NULL), claimed_by = NULL,
    claimed_until = NULL, due_at = 0, sent_at = NULL
    """,
    "UPDATE batches SET claimed_by = NULL, claimed_until = 0",
    "DELETE FROM replies WHERE location IS NULL",
)


class SqliteCopies:
    """`orchestrator.ports.keeping.Copies`."""

    async def contents(self, path: Path) -> Contents:
        """Check the file as SQLite can, and that it holds tables and nothing that acts."""
        return await asyncio.to_thread(_contents, path)

    def originals(self, path: Path) -> Iterator[Original]:
        """Read versions with their documents."""
        with closing(connected(path)) as file:
            for document_id, key, size, failed in file.execute(_ORIGINALS):
                yield Original(document_id, key, size, bool(failed))

    async def forget(self, path: Path, documents: Iterable[str]) -> None:
        """Put up tombstones as any deletion does; other stores are purged once it is restored."""
        doomed = sorted(documents)
        async with open_sqlite(path) as database:
            catalog = SqlCatalog(database)
            for start in range(0, len(doomed), BATCH):
                outcome = await catalog.deletions.documents(doomed[start : start + BATCH])
                if outcome.held:
                    raise Conflict(
                        f"{len(outcome.held)} documents under legal hold have lost their files",
                        code="legal_hold",
                    )
        await asyncio.to_thread(as_one_file, path)

    async def renew(self, path: Path, *, beyond: Contents) -> None:
        """Migrate; then change what is needed in one transaction."""
        async with open_sqlite(path):
            pass
        with translated():
            await asyncio.to_thread(_renew, path, beyond)


def connected(path: Path) -> sqlite3.Connection:
    """A connection in which transactions begin where we say, and a schema is not trusted."""
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA trusted_schema = OFF")
    return file


def as_one_file(path: Path) -> None:
    """Fold the write-ahead log into the file, and do without one."""
    with closing(connected(path)) as file:
        file.execute("PRAGMA journal_mode = DELETE")


def _contents(path: Path) -> Contents:
    with _readable(), closing(connected(path)) as file:
        _require_tables(file)
        ((schema,),) = file.execute("SELECT version_num FROM alembic_version")
        if not list((MIGRATIONS / "versions").glob(f"{_plain(schema)}_*.py")):
            raise Rejected(
                f"the backup was made by a newer version (its catalog is at {schema}, "
                f"this program's at {HEAD}): restore it with that version"
            )
        ((state,),) = file.execute("PRAGMA quick_check(1)")
        if state != "ok":
            raise Rejected(f"the catalog in this backup is damaged: {state}")
        return _described(file, schema)


def _require_tables(file: sqlite3.Connection) -> None:
    known = {"alembic_version", *metadata.tables}
    for kind, name in file.execute("SELECT type, name FROM sqlite_master"):
        strange = kind == "table" and name not in known and not name.startswith("sqlite_")
        if strange or kind not in {"table", "index"}:
            raise Rejected(f"the catalog in this backup holds what none has: {kind} '{name}'")


def _plain(schema: object) -> str:
    if not isinstance(schema, str) or not schema.isalnum():
        raise Rejected("the catalog in this backup names no version of its tables")
    return schema


def _described(file: sqlite3.Connection, schema: str) -> Contents:
    tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    kept = [table for table in metadata.tables if table in tables]
    rows = {name: file.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in kept}  # noqa: S608  # our own tables
    found = file.execute(
        "SELECT uid, name, revision, config_version FROM workspaces WHERE deleted_at IS NULL"
    ).fetchall()
    return Contents(
        schema=schema,
        names={uid: name for uid, name, *_ in found},
        revisions={uid: revision for uid, _, revision, _ in found},
        rows=rows,
        used={name: _last(file, name) for name in COUNTED},
        untouched=not rows["documents"]
        and all(tuple(one[1:]) == ("default", 0, 1) for one in found),
    )


def _last(file: sqlite3.Connection, table: str) -> int:
    row = file.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


def write_last(file: sqlite3.Connection, table: str, last: int) -> None:
    """Let the table's ids go on after this one."""
    file.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
    file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def _renew(path: Path, beyond: Contents) -> None:
    as_one_file(path)
    with closing(connected(path)) as file:
        file.execute("BEGIN IMMEDIATE")
        for statement in _FREED:
            file.execute(statement)
        for table in COUNTED:
            write_last(file, table, max(_last(file, table), beyond.used.get(table, 0)) + IDS)
        for uid, revision in file.execute("SELECT uid, revision FROM workspaces").fetchall():
            _move(file, uid, max(revision, beyond.revisions.get(uid, 0)) + REVISIONS)
        file.execute("COMMIT")


def _move(file: sqlite3.Connection, uid: str, revision: int) -> None:
    if revision > MOST:
        raise Rejected(f"the workspace {uid} has no revisions left: it was restored too often")
    file.execute("UPDATE workspaces SET revision = ? WHERE uid = ?", (revision, uid))
    change: tuple[Any, ...] = (uid, revision, "restored", time.time())
    file.execute("INSERT INTO changes (workspace, revision, kind, at) VALUES (?, ?, ?, ?)", change)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        raise Rejected(f"the catalog in this backup cannot be read: {error}") from error
