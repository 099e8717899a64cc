"""Workspaces and their configurations in SQL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.database import Database
from adapters.catalog.schema import (
    changes,
    chunks,
    configurations,
    documents,
    reindexings,
    workspaces,
)
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.history import Version
from orchestrator.domain.workspaces import Workspace, WorkspaceConfig

_CONFIG = TypeAdapter(WorkspaceConfig)


class SqlWorkspaces:
    """`orchestrator.ports.catalog.Workspaces`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, config: WorkspaceConfig) -> Workspace:
        """Insert it at revision 0, with its first configuration."""
        uid, now = uuid.uuid4().hex, time.time()
        async with self._database.write() as connection:
            if (await connection.execute(_live(name))).first():
                raise Conflict(f"workspace '{name}' exists already", code="workspace_exists")
            await connection.execute(
                insert(workspaces).values(
                    uid=uid, name=name, revision=0, config_version=1, created_at=now
                )
            )
            await _store(connection, uid, 1, config)
        return Workspace(uid, name, 0, config, 1, datetime.fromtimestamp(now, UTC))

    async def get(self, name: str) -> Workspace:
        """Read it with its current configuration, in one query."""
        async with self._database.read() as connection:
            row = (await connection.execute(_live(name))).first()
        if row is None:
            raise NotFound(f"there is no workspace '{name}'", code="unknown_workspace")
        return _workspace(row)

    async def by_uid(self, uid: str) -> Workspace:
        """Read it by its key."""
        async with self._database.read() as connection:
            return await current(connection, uid)

    async def list(self) -> Sequence[Workspace]:
        """Read all of them."""
        async with self._database.read() as connection:
            rows = await connection.execute(_live())
            return [_workspace(row) for row in rows]

    async def revisions(self) -> Mapping[str, int]:
        """Read two columns of every live row."""
        live = select(workspaces.c.uid, workspaces.c.revision).where(
            workspaces.c.deleted_at.is_(None)
        )
        async with self._database.read() as connection:
            return {row.uid: row.revision for row in await connection.execute(live)}

    async def configure(
        self, name: str, config: WorkspaceConfig, *, expected: int, by: str | None = None
    ) -> Workspace:
        """Append a version; what documents were indexed with must stay as it was."""
        async with self._database.write() as connection:
            row = (await connection.execute(_live(name))).first()
            if row is None:
                raise NotFound(f"there is no workspace '{name}'", code="unknown_workspace")
            now = _workspace(row)
            if now.config_version != expected:
                raise Conflict(
                    f"the configuration of '{name}' is at version {now.config_version}, "
                    f"not {expected}: read it again",
                    code="stale_configuration",
                )
            if config == now.config:
                return now
            if config.footing != now.config.footing:
                await _require_no_reindexing(connection, now)
            if not config.shares_chunks_with(now.config) and await _indexed(connection, now.uid):
                raise Conflict(
                    "documents are indexed with another embedder or chunking: re-index them with "
                    f"`rag reindex {name}` (POST /v1/workspaces/{name}/reindexing)",
                    code="needs_reindexing",
                )
            return await next_version(connection, now, config, by)

    async def configurations(self, name: str) -> Mapping[int, WorkspaceConfig]:
        """Read the history."""
        workspace = await self.get(name)
        query = (
            select(configurations.c.version, configurations.c.body)
            .where(configurations.c.workspace == workspace.uid)
            .order_by(configurations.c.version)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {row.version: _config(row.body) for row in rows}

    async def history(self, name: str) -> Sequence[Version]:
        """Read the rows whole."""
        workspace = await self.get(name)
        query = (
            select(configurations)
            .where(configurations.c.workspace == workspace.uid)
            .order_by(configurations.c.version.desc())
        )
        async with self._database.read() as connection:
            return [
                Version(
                    row.version,
                    _config(row.body),
                    datetime.fromtimestamp(row.created_at, UTC),
                    row.created_by,
                )
                for row in await connection.execute(query)
            ]


async def current(connection: AsyncConnection, uid: str) -> Workspace:
    """The live workspace of that uid, as the transaction sees it."""
    row = (await connection.execute(_live().where(workspaces.c.uid == uid))).first()
    if row is None:
        raise NotFound("the workspace is gone", code="unknown_workspace")
    return _workspace(row)


async def next_version(
    connection: AsyncConnection, now: Workspace, config: WorkspaceConfig, by: str | None = None
) -> Workspace:
    """Make a configuration the next version of what the transaction read."""
    version = now.config_version + 1
    await _store(connection, now.uid, version, config, by)
    await connection.execute(
        update(workspaces).where(workspaces.c.uid == now.uid).values(config_version=version)
    )
    return replace(now, config=config, config_version=version)


async def advance(connection: AsyncConnection, uid: str, kind: str, document_id: str | None) -> int:
    """Append one change to a workspace's log; the revision that it makes."""
    (revision,) = await advance_all(connection, uid, kind, [document_id])
    return revision


async def advance_all(
    connection: AsyncConnection, uid: str, kind: str, document_ids: Sequence[str | None]
) -> Sequence[int]:
    """Append a change for each document; the revisions that they make, in order."""
    count, now = len(document_ids), time.time()
    moved = await connection.execute(
        update(workspaces)
        .where(workspaces.c.uid == uid)
        .values(revision=workspaces.c.revision + count)
        .returning(workspaces.c.revision)
    )
    last: int = moved.scalar_one()
    revisions = range(last - count + 1, last + 1)
    await connection.execute(
        insert(changes),
        [
            {"workspace": uid, "revision": revision, "kind": kind, "document_id": one, "at": now}
            for revision, one in zip(revisions, document_ids, strict=True)
        ],
    )
    return revisions


def _live(name: str | None = None) -> Select[Any]:
    query = (
        select(workspaces, configurations.c.body)
        .join(
            configurations,
            (configurations.c.workspace == workspaces.c.uid)
            & (configurations.c.version == workspaces.c.config_version),
        )
        .where(workspaces.c.deleted_at.is_(None))
        .order_by(workspaces.c.name)
    )
    return query if name is None else query.where(workspaces.c.name == name)


async def _store(
    connection: AsyncConnection,
    uid: str,
    version: int,
    config: WorkspaceConfig,
    by: str | None = None,
) -> None:
    await connection.execute(
        insert(configurations).values(
            workspace=uid,
            version=version,
            body=asdict(config),
            created_at=time.time(),
            created_by=by,
        )
    )


async def _require_no_reindexing(connection: AsyncConnection, now: Workspace) -> None:
    query = select(reindexings.c.id).where(
        reindexings.c.workspace == now.uid, reindexings.c.ended_at.is_(None)
    )
    if (await connection.execute(query)).first():
        raise Conflict(
            f"workspace '{now.name}' is being re-indexed: until that has ended, neither its "
            "embedder nor its chunking, stores or generation can change",
            code="reindexing_in_progress",
        )


async def _indexed(connection: AsyncConnection, uid: str) -> bool:
    held = exists().where(chunks.c.workspace == uid)
    coming = exists().where((documents.c.workspace == uid) & documents.c.deleted_at.is_(None))
    return bool((await connection.execute(select(held | coming))).scalar_one())


def _config(body: Mapping[str, Any]) -> WorkspaceConfig:
    """A stored configuration; before there was a choice, chunks followed the structure."""
    chunking = {"strategy": "structure", **body.get("chunking", {})}
    chunking.pop("kind", None)
    return _CONFIG.validate_python({**body, "chunking": chunking})


def _workspace(row: Row[Any]) -> Workspace:
    return Workspace(
        uid=row.uid,
        name=row.name,
        revision=row.revision,
        config=_config(row.body),
        config_version=row.config_version,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
    )
