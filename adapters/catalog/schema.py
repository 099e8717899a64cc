"""The catalog's tables."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    text,
)

HEAD: Final = "0009"
"""The newest migration; `tests/unit` proves that it is, and that it makes these tables."""

metadata = MetaData()


def _partial(condition: str) -> dict[str, Any]:
    return {f"{dialect}_where": text(condition) for dialect in ("sqlite", "postgresql")}


_LIVE: Final = _partial("deleted_at IS NULL")
_ID: Final = BigInteger().with_variant(Integer, "sqlite")
"""Ids are never used again; SQLite counts only an `INTEGER` by itself, and has 64 bits for it."""

workspaces = Table(
    "workspaces",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("config_version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("deleted_at", Float),
    Index("ix_workspaces_name", "name", unique=True, **_LIVE),
)

configurations = Table(
    "configurations",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", Text),
    PrimaryKeyConstraint("workspace", "version"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("acl", JSON, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("error_code", Text),
    Column("version", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
    Column("deleted_revision", Integer),
    Column("receipt", JSON),
    Column("stage", Text),
    Column("share", Float),
    Column("hold_reason", Text),
    Column("held_at", Float),
    Index(
        "ix_documents_source",
        "workspace",
        "source_id",
        unique=True,
        **_LIVE,
    ),
)

versions = Table(
    "versions",
    metadata,
    Column("document_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("blob_key", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("queued_at", Float),
    Column("indexed_at", Float),
    Column("status", Text),
    Column("chunks", Integer),
    Column("reading", JSON),
    PrimaryKeyConstraint("document_id", "number"),
)

sketches = Table(
    "sketches",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("hash", BigInteger, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("size", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "hash", "document_id"),
    Index("ix_sketches_document", "document_id"),
    sqlite_with_rowid=False,
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("section", Text),
    Column("page", Integer),
    Column("added", Integer, nullable=False),
    Column("removed", Integer),
    Column("removed_at", Float),
    Column("asked", Boolean, nullable=False, server_default=false()),
    Index("ix_chunks_added", "workspace", "added"),
    Index("ix_chunks_removed", "workspace", "removed"),
    Index("ix_chunks_document", "document_id"),
    Index("ix_chunks_run", "workspace", "document_id", "generation", "added", "removed"),
    Index("ix_chunks_text_hash", "text_hash"),
    sqlite_autoincrement=True,
)

vectors = Table(
    "vectors",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", Text, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Index("ix_vectors_key", "text_hash", "model", unique=True),
)

changes = Table(
    "changes",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("document_id", Text),
    Column("at", Float, nullable=False),
    PrimaryKeyConstraint("workspace", "revision"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", Float),
    Column("created_at", Float, nullable=False),
    Column("due_at", Float, nullable=False, server_default="0"),
    Column("sent_at", Float),
    Index("ix_jobs_document", "document_id"),
    sqlite_autoincrement=True,
)

holdings = Table(
    "holdings",
    metadata,
    Column("workspace", Text, primary_key=True),
    Column("documents", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False, server_default=text("0")),
    Index("ix_batches_waiting", "claimed_until", **_partial("waiting > 0")),
    Index("ix_batches_workspace", "workspace"),
)

batch_items = Table(
    "batch_items",
    metadata,
    Column("batch_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("given", JSON),
    Column("document_id", Text),
    Column("code", Text),
    Column("reason", Text),
    PrimaryKeyConstraint("batch_id", "number"),
    Index("ix_batch_items_source", "batch_id", "source_id", unique=True),
)

replies = Table(
    "replies",
    metadata,
    Column("subject", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("location", Text),
    Column("body", JSON),
    Column("about", Text),
    Column("claimed_until", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    PrimaryKeyConstraint("subject", "key"),
    Index("ix_replies_about", "about"),
    Index("ix_replies_created", "created_at"),
)

reindexings = Table(
    "reindexings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("models", JSON, nullable=False),
    Column("automatic", Boolean, nullable=False),
    Column("share", Float, nullable=False),
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
    Column("switched_at", Float),
    Column("ended_at", Float),
    Column("erased_at", Float),
    Column("held_until", Float, nullable=False),
    Column("claimed_by", Text),
    Column("claimed_until", Float, nullable=False),
    Index("ix_reindexings_open", "workspace", unique=True, **_partial("ended_at IS NULL")),
    Index("ix_reindexings_unerased", "workspace", **_partial("erased_at IS NULL")),
)

search_counts = Table(
    "search_counts",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("day", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("workspace", "day", "kind", "name"),
    Index("ix_search_counts_day", "day"),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("title", Text),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index("ix_sessions_owner", "workspace", "subject", "id"),
    Index("ix_sessions_used", "used_at"),
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("session", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text),
    Column("answerable", Boolean, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("at", Float, nullable=False),
    PrimaryKeyConstraint("session", "number"),
    Index("ix_exchanges_workspace", "workspace"),
)

exchange_documents = Table(
    "exchange_documents",
    metadata,
    Column("session", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    PrimaryKeyConstraint("session", "number", "document_id"),
    Index("ix_exchange_documents_document_id", "document_id"),
    Index("ix_exchange_documents_workspace", "workspace"),
    sqlite_with_rowid=False,
)
