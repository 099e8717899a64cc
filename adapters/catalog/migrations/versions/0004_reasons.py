"""The stable code of a failure beside its reason; the bytes that a crawl has read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add them; of failures so far no code is known, and no crawl has read anything."""
    op.add_column("documents", sa.Column("error_code", sa.Text()))
    op.add_column(
        "batches", sa.Column("bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_column("batches", "bytes")
    op.drop_column("documents", "error_code")
