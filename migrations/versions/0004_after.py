"""Progress, expiry, deletion and object version of a file."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("received_bytes", sa.BigInteger, nullable=False, server_default="0"))
        files.alter_column("received_bytes", server_default=None)
        files.add_column(sa.Column("version_id", sa.String(1024)))
        files.add_column(sa.Column("expires_at", sa.Double))
        files.add_column(sa.Column("deleted_at", sa.Double))
        files.create_index("ix_files_expires_at", ["expires_at"])
        files.create_index("ix_files_deleted_at", ["deleted_at"])
    op.execute("UPDATE files SET received_bytes = size WHERE size IS NOT NULL")


def downgrade():
    with op.batch_alter_table("files") as files:
        files.drop_index("ix_files_deleted_at")
        files.drop_index("ix_files_expires_at")
        files.drop_column("deleted_at")
        files.drop_column("expires_at")
        files.drop_column("version_id")
        files.drop_column("received_bytes")
