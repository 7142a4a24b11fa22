"""Detail of a file's error, such as the storage's own code."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade():
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("error_detail", sa.String(255)))


def downgrade():
    with op.batch_alter_table("files") as files:
        files.drop_column("error_detail")
