"""Who sees which chunk, read without reading the chunks."""

from alembic import op

revision = "0006"
down_revision = "0005"

COLUMNS = ["workspace", "document_id", "generation", "added", "removed"]


def upgrade() -> None:
    """An index that holds everything a roster is made of."""
    op.create_index("ix_chunks_run", "chunks", COLUMNS)


def downgrade() -> None:
    """Read the chunks themselves again."""
    op.drop_index("ix_chunks_run", "chunks")
