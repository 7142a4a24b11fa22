"""Columns of the sweep; locks; idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("spool", sa.String(36)))
        files.add_column(sa.Column("attempts_before", sa.Integer, nullable=False, server_default="0"))
        files.alter_column("attempts_before", server_default=None)
    # Rows from before the sweep: it reclaims them, in any spool.
    op.execute("UPDATE files SET due_at = updated_at WHERE upload_status = 'PENDING' AND due_at IS NULL")
    op.create_table(
        "locks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(36), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("file_id", sa.String(36), nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )


def downgrade():
    op.drop_table("idempotency_keys")
    op.drop_table("locks")
    with op.batch_alter_table("files") as files:
        files.drop_column("attempts_before")
        files.drop_column("spool")
