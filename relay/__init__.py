"""Redis: the relay of bytes, Celery's transport, task messages, the worker probe."""
