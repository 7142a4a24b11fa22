"""Run Alembic on the app's database, with Flask-SQLAlchemy's engine and metadata."""

from alembic import context

from models import db

with db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite has hardly any ALTER TABLE.
    )
    with context.begin_transaction():
        context.run_migrations()
