"""Celery's side of Redis: the transport, valid messages, which tasks are queued, the probe of a worker."""
