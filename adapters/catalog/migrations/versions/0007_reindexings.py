"""Re-indexings: another footing of a workspace, built beside the one that serves."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """No workspace is being re-indexed."""
    op.create_table(
        "reindexings",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("switched_at", sa.Float()),
        sa.Column("ended_at", sa.Float()),
        sa.Column("erased_at", sa.Float()),
        sa.Column("held_until", sa.Float(), nullable=False),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("claimed_until", sa.Float(), nullable=False),
    )
    for name, condition, unique in (
        ("ix_reindexings_open", "ended_at IS NULL", True),
        ("ix_reindexings_unerased", "erased_at IS NULL", False),
    ):
        op.create_index(
            name,
            "reindexings",
            ["workspace"],
            unique=unique,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )


def downgrade() -> None:
    """Forget them; what they left stays."""
    op.drop_table("reindexings")
