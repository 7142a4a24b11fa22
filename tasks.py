"""Celery's door to the same work: the task that stores a file, and the settings under which none gets lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celery import Celery, Task, shared_task
from celery.signals import worker_process_init
from flask import Flask
from pybase64 import b64decode

import file
from config import Config
from models import db
from problems import BytesDamaged

_TIME_LIMIT = 3600
"""Seconds that one attempt may take. The lease, not this, is what finds a worker that died."""


@shared_task(name="ferry.upload")  # type: ignore[untyped-decorator]
def upload(id: str, text: str) -> None:
    """Store a file from the base64 text of its bytes. A second delivery finds nothing to claim."""
    file.upload_file_from_stream(id, _decoded(text))


def send(id: str, text: str) -> None:
    """Queue `upload`. By default Celery would put the start of the bytes into the message's headers, and so in logs."""
    upload.apply_async((id, text), argsrepr=f"({id!r}, ...)")


def _decoded(text: str) -> Iterator[bytes]:
    try:
        yield b64decode(text, validate=True)
    except ValueError as error:
        raise BytesDamaged from error


def settings(config: Config) -> dict[str, Any]:
    """Celery's settings. Acknowledged late and requeued on a lost worker, a task survives what kills its process."""
    return {
        "broker_url": config.celery_broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            # More than twice the time limit, or Redis hands a running task out again.
            "visibility_timeout": 2 * _TIME_LIMIT + 300,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # kombu would encode our base64 text in base64 once more.
            "body_encoding": "utf-8",
        },
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0.1, "interval_max": 0.5},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": _TIME_LIMIT,
        "task_soft_time_limit": _TIME_LIMIT - 60,
        "task_ignore_result": True,
        "result_backend": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_enable_remote_control": False,
        "worker_soft_shutdown_timeout": 20,
    }  # fmt: skip


def init_app(app: Flask, config: Config) -> Celery:
    """The app's Celery: every task runs inside the app's context. Connects to nothing yet."""

    class ContextTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    def forget_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    celery = Celery(app.name, task_cls=ContextTask)
    celery.config_from_object(settings(config))
    celery.set_default()
    # A connection that the parent opened must not be shared with, nor closed by, its children.
    worker_process_init.connect(forget_connections, weak=False)
    app.extensions["celery"] = celery
    return celery
