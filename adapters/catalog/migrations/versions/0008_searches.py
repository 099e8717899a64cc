"""Counts of searches; who made a version of a configuration."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table; of versions so far nobody knows who made them."""
    op.create_table(
        "search_counts",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "day", "kind", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_search_counts_day", "search_counts", ["day"])
    op.add_column("configurations", sa.Column("created_by", sa.Text()))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("configurations", "created_by")
    op.drop_table("search_counts")
