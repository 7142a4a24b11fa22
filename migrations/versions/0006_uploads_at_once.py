"""Limit of concurrent transfers per API key."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    with op.batch_alter_table("api_keys") as keys:
        keys.add_column(sa.Column("uploads_at_once", sa.Integer))


def downgrade():
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("uploads_at_once")
