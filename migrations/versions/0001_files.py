"""The table of files."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

STATUS = sa.Enum("PENDING", "PROCESSING", "COMPLETE", "ERROR", name="uploadstatus", native_enum=False, length=16)


def upgrade():
    op.create_table(
        "files",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("url", sa.String(2048)),
        sa.Column("upload_status", STATUS, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("error", sa.String(64)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Double),
        sa.Column("due_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
    )
    op.create_index("ix_files_status_id", "files", ["upload_status", "id"])


def downgrade():
    op.drop_table("files")
