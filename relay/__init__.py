"""Tasks and bytes over Redis: the relay, Celery's transport, task messages, the worker probe."""
