"""Owners, API keys and detected types."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("detected_type", sa.String(255)))
        files.add_column(sa.Column("owner", sa.String(64)))
        files.add_column(sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"))
        files.alter_column("reserved", server_default=None)
        files.create_index("ix_files_owner_id", ["owner", "id"])
    op.create_table(
        "owners",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("quota_bytes", sa.BigInteger),
        sa.Column("quota_files", sa.BigInteger),
        sa.Column("quota_uploads", sa.Integer),
        sa.Column("used_bytes", sa.BigInteger, nullable=False),
        sa.Column("used_files", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("owner", sa.String(64), sa.ForeignKey("owners.name"), nullable=False),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("old_digest", sa.String(64)),
        sa.Column("old_until", sa.Double),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("used_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
    )


def downgrade():
    op.drop_table("api_keys")
    op.drop_table("owners")
    with op.batch_alter_table("files") as files:
        files.drop_index("ix_files_owner_id")
        files.drop_column("reserved")
        files.drop_column("owner")
        files.drop_column("detected_type")
