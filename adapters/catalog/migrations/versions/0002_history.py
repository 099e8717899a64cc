"""What is known of each version, legal holds, stages, and sketches that tell likeness."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; what readers see of a document was indexed, and where it failed it failed."""
    op.add_column("documents", sa.Column("stage", sa.Text()))
    op.add_column("documents", sa.Column("hold_reason", sa.Text()))
    op.add_column("documents", sa.Column("held_at", sa.Float()))
    op.add_column("versions", sa.Column("queued_at", sa.Float()))
    op.add_column("versions", sa.Column("indexed_at", sa.Float()))
    op.add_column("versions", sa.Column("status", sa.Text()))
    op.add_column("versions", sa.Column("chunks", sa.Integer()))
    op.add_column("versions", sa.Column("reading", sa.JSON()))
    op.create_table(
        "sketches",
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "hash", "document_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sketches_document", "sketches", ["document_id"])
    op.execute("UPDATE versions SET queued_at = created_at")
    op.execute(
        "UPDATE versions SET status = 'indexed', chunks = (SELECT count(*) FROM chunks"
        " WHERE chunks.document_id = versions.document_id AND chunks.version = versions.number"
        " AND chunks.removed IS NULL)"
        " WHERE EXISTS (SELECT 1 FROM chunks WHERE chunks.document_id = versions.document_id"
        " AND chunks.version = versions.number AND chunks.removed IS NULL)"
    )
    op.execute(
        "UPDATE versions SET status = 'failed' WHERE EXISTS (SELECT 1 FROM documents"
        " WHERE documents.id = versions.document_id AND documents.version = versions.number"
        " AND documents.status = 'failed')"
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("sketches")
    for column in ("queued_at", "indexed_at", "status", "chunks", "reading"):
        op.drop_column("versions", column)
    for column in ("stage", "hold_reason", "held_at"):
        op.drop_column("documents", column)
