"""Celery's door to the same work: the task that stores a file, and the settings under which none gets lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from celery import Celery, Task, shared_task
from celery.signals import setup_logging, worker_process_init
from celery.worker.consumer import consumer
from flask import Flask
from pybase64 import b64decode

import file
import logs
from config import Config
from models import db
from problems import BytesDamaged
from relay import transport, worker_probe
from services import current_services

log = logging.getLogger("ferry.tasks")

_TIME_LIMIT = 3600
"""Seconds that one attempt may take. The lease, not this, is what finds a worker that died."""


@shared_task(bind=True, name="ferry.upload", max_retries=None)  # type: ignore[untyped-decorator]
def upload(self: Task, id: str, text: str) -> None:
    """Store a file from the base64 text of its bytes. A second delivery finds nothing to claim."""
    if file.upload_file_from_stream(id, lambda row: _decoded(text)):
        _ask_again(self, id)


@shared_task(bind=True, name="ferry.upload_pieces", max_retries=None)  # type: ignore[untyped-decorator]
def upload_pieces(self: Task, id: str, web: str) -> None:
    """Store a file from the pieces of its bytes that the web process `web` sends when it is asked."""
    if file.upload_file_from_stream(
        id, lambda row: current_services().relay.receive(web, row.id, row.attempt, row.size)
    ):
        _ask_again(self, id)


def send_inline(id: str, turn: int = 0) -> None:
    """Queue a file with its bytes. `turn`: see `Window.reserve_task`."""
    text = file.process_file_to_stream(id, as_text=True)
    upload.apply_async((id, text), argsrepr=_shown(id), headers={"ferry_turn": turn})


def send_relayed(id: str, turn: int = 0) -> None:
    """Queue a file; the worker that takes it will ask this process for its bytes."""
    upload_pieces.apply_async((id, current_services().relay.name), argsrepr=_shown(id), headers={"ferry_turn": turn})


def _ask_again(task: Task, id: str) -> None:
    """Come back when the present holder's lease has run out.

    It may have died: a task that Redis hands out again mostly comes long before that can be seen in the row.
    """
    raise task.retry(countdown=current_services().leases.seconds, argsrepr=_shown(id))


def _shown(id: str) -> str:
    """By default Celery would put the start of the bytes into the message's headers, and so into logs."""
    return f"({id!r}, ...)"


def _size_only(message: Any, body: object) -> str:
    """In place of Celery's: of a task that it does not know or can't read it would log the first kilobyte."""
    return f"{len(message.body)} bytes"


def _decoded(text: str) -> Iterator[bytes]:
    try:
        yield b64decode(text, validate=True)
    except ValueError as error:
        raise BytesDamaged from error


def settings(config: Config) -> dict[str, Any]:
    """Celery's settings. Acknowledged late and requeued on a lost worker, a task survives what kills its process."""
    redis = config.redis
    return {
        "broker_url": redis.url,
        "broker_use_ssl": dict(redis.tls) or False,
        "task_default_queue": redis.queue,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A Redis that refuses to write (full disk, failover) is waited for like one that is away.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "global_keyprefix": redis.key(""),
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


class _Celery(Celery):  # type: ignore[misc]
    """Connects to the broker of `settings`. Celery prefers the environment's CELERY_BROKER_URL, and reads its query."""

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_read(self.conf["broker_url"], **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_write(self.conf["broker_url"], **options)


def create_celery(app: Flask, config: Config) -> Celery:
    """The app's Celery: every task runs inside the app's context. Connects to nothing yet."""

    class ContextTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with logs.file_context(next(iter(args), None)), app.app_context():
                return self.run(*args, **kwargs)

    def forget_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    def own_logs(**_: Any) -> None:
        logs.configure(config.log_format)
        log.info("tasks come from the queue %s of %s", config.redis.queue, config.redis.safe_url)
        consumer.dump_body = _size_only

    transport.register()
    celery = _Celery(app.name, task_cls=ContextTask)
    celery.config_from_object(settings(config))
    celery.set_default()
    # A connection that the parent opened must not be shared with, nor closed by, its children.
    worker_process_init.connect(forget_connections, weak=False)
    setup_logging.connect(own_logs, weak=False)
    worker_probe.init_app(config.lease_duration)
    return celery
