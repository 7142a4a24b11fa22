"""The lifecycle of a file: transitions, queries, leases, attempts, deletion, idempotency, changes."""
