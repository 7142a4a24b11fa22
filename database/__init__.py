"""The database engine, group commit for SQLite, connections to PostgreSQL, locks, Redis URLs."""
