"""What must follow a COMPLETE file."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subscriber", sa.String(64), nullable=False),
        sa.Column("file_id", sa.String(36), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])


def downgrade():
    op.drop_table("outbox")
