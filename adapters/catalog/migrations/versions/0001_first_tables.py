"""The first tables: workspaces, documents, chunks, vectors, the change log and the queue."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

LIVE: dict[str, Any] = {f"{dialect}_where": sa.text("deleted_at IS NULL") for dialect in ("sqlite", "postgresql")}
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "workspaces",
        sa.Column("uid", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("deleted_at", sa.Float()),
    )
    op.create_index("ix_workspaces_name", "workspaces", ["name"], unique=True, **LIVE)
    op.create_table(
        "configurations",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "version"),
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("acl", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("deleted_at", sa.Float()),
        sa.Column("deleted_revision", sa.Integer()),
        sa.Column("receipt", sa.JSON()),
    )
    op.create_index("ix_documents_source", "documents", ["workspace", "source_id"], unique=True, **LIVE)
    op.create_table(
        "versions",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("document_id", "number"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("section", sa.Text()),
        sa.Column("page", sa.Integer()),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer()),
        sa.Column("removed_at", sa.Float()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chunks_added", "chunks", ["workspace", "added"])
    op.create_index("ix_chunks_document", "chunks", ["document_id"])
    op.create_index("ix_chunks_removed", "chunks", ["workspace", "removed"])
    op.create_index("ix_chunks_text_hash", "chunks", ["text_hash"])
    op.create_table(
        "vectors",
        sa.Column("id", ID, primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_vectors_key", "vectors", ["text_hash", "model"], unique=True)
    op.create_table(
        "changes",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text()),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "revision"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.Float()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_document", "jobs", ["document_id"])


def downgrade() -> None:
    """Drop them, with all they hold."""
    for table in (
        "jobs",
        "changes",
        "vectors",
        "chunks",
        "versions",
        "documents",
        "configurations",
        "workspaces",
    ):
        op.drop_table(table)
