"""Jobs that wait or that a broker knows of, and how far a reading is."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Every job that there is may be taken now, and no broker knows of it."""
    op.add_column("documents", sa.Column("share", sa.Float()))
    op.add_column("jobs", sa.Column("due_at", sa.Float(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("sent_at", sa.Float()))


def downgrade() -> None:
    """Forget it: they may all be taken at once."""
    op.drop_column("jobs", "sent_at")
    op.drop_column("jobs", "due_at")
    op.drop_column("documents", "share")
