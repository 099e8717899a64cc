"""Sessions, and what was said in them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nobody has said anything."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_sessions_owner", "sessions", ["workspace", "subject", "id"])
    op.create_index("ix_sessions_used", "sessions", ["used_at"])
    op.create_table(
        "exchanges",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("answerable", sa.Boolean(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session", "number"),
    )
    op.create_index("ix_exchanges_workspace", "exchanges", ["workspace"])
    op.create_table(
        "exchange_documents",
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "number", "document_id"),
        sqlite_with_rowid=False,
    )
    for column in ("document_id", "workspace"):
        op.create_index(f"ix_exchange_documents_{column}", "exchange_documents", [column])


def downgrade() -> None:
    """Forget what was said."""
    for table in ("exchange_documents", "exchanges", "sessions"):
        op.drop_table(table)
