"""Uploads: what each workspace holds, batches and their items, answers to repeated requests."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WAITING: dict[str, Any] = {f"{dialect}_where": sa.text("waiting > 0") for dialect in ("sqlite", "postgresql")}


def upgrade() -> None:
    """Create them; count what is there."""
    op.add_column(
        "chunks", sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "holdings",
        sa.Column("workspace", sa.Text(), primary_key=True),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO holdings (workspace, documents, bytes) "
        "SELECT documents.workspace, count(*), sum(versions.size) FROM documents "
        "JOIN versions ON versions.document_id = documents.id "
        "AND versions.number = documents.version "
        "WHERE documents.deleted_at IS NULL GROUP BY documents.workspace"
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_batches_waiting", "batches", ["claimed_until"], **WAITING)
    op.create_index("ix_batches_workspace", "batches", ["workspace"])
    op.create_table(
        "batch_items",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("given", sa.JSON()),
        sa.Column("document_id", sa.Text()),
        sa.Column("code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("batch_id", "number"),
    )
    op.create_index("ix_batch_items_source", "batch_items", ["batch_id", "source_id"], unique=True)
    op.create_table(
        "replies",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("location", sa.Text()),
        sa.Column("body", sa.JSON()),
        sa.Column("about", sa.Text()),
        sa.Column("claimed_until", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "key"),
    )
    op.create_index("ix_replies_about", "replies", ["about"])
    op.create_index("ix_replies_created", "replies", ["created_at"])


def downgrade() -> None:
    """Drop them, with all they hold."""
    for table in ("replies", "batch_items", "batches", "holdings"):
        op.drop_table(table)
    op.drop_column("chunks", "asked")
