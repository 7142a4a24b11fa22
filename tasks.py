"""Celery tasks that store a file, and the Celery settings that keep a task from being lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from celery import Celery, Task, shared_task
from celery.signals import setup_logging, worker_process_init
from flask import Flask
from pybase64 import b64decode

import file
import logs
from broker import patches, worker_probe
from config import Config
from models import db
from problems import BytesDamaged
from services import current_services

log = logging.getLogger("ferry.tasks")

_TIME_LIMIT = 3600
"""Most seconds of one attempt. A crashed worker is detected by its lease, not by this."""


@shared_task(bind=True, name="ferry.upload", max_retries=None)  # type: ignore[untyped-decorator]
def upload(self: Task, id: str, text: str) -> None:
    """Store a file from the base64 text of its bytes.

    A redelivered task stores the file if its lease has expired; it waits while another worker holds it, and does
    nothing if the file has ended.
    """
    if file.upload_file_from_stream(id, lambda row: _decode(text)) == file.Outcome.HELD_ELSEWHERE:
        _retry_after_lease(self, id)


@shared_task(bind=True, name="ferry.upload_pieces", max_retries=None)  # type: ignore[untyped-decorator]
def upload_pieces(self: Task, id: str, web_process_id: str) -> None:
    """Store a file from the pieces that a web process relays on request. Redelivered: see `upload`."""
    outcome = file.upload_file_from_stream(
        id, lambda row: current_services().relay.receive(web_process_id, row.id, row.attempt, row.size)
    )
    if outcome == file.Outcome.HELD_ELSEWHERE:
        _retry_after_lease(self, id)


def send_inline(id: str, queued_at: int = 0) -> None:
    """Queue a task that contains the bytes of its file. `queued_at`: see `Relay.mark_task_queued`."""
    text = file.process_file_to_stream(id, as_text=True)
    upload.apply_async((id, text), argsrepr=_args_repr(id), headers={"ferry_turn": queued_at})


def send_relayed(id: str, queued_at: int = 0) -> None:
    """Queue a task whose worker requests the bytes from this process. `queued_at`: see `Relay.mark_task_queued`."""
    upload_pieces.apply_async(
        (id, current_services().relay.web_process_id), argsrepr=_args_repr(id), headers={"ferry_turn": queued_at}
    )


def _retry_after_lease(task: Task, id: str) -> None:
    """Retry the task once the current lease has expired.

    The worker that holds it may have crashed: Redis redelivers a task long before the row shows that.
    """
    raise task.retry(countdown=current_services().leases.seconds, argsrepr=_args_repr(id))


def _args_repr(id: str) -> str:
    """The arguments without the bytes: by default Celery puts the start of them into headers and logs."""
    return f"({id!r}, ...)"


def _decode(text: str) -> Iterator[bytes]:
    try:
        yield b64decode(text, validate=True)
    except ValueError as error:
        raise BytesDamaged from error


def settings(config: Config) -> dict[str, Any]:
    """Celery's settings. Late acknowledgement and requeueing let a task survive the crash of its process."""
    redis = config.redis
    return {
        "broker_url": redis.url,
        "broker_use_ssl": dict(redis.tls) or False,
        "task_default_queue": redis.queue,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Wait for a Redis that refuses writes (full disk, failover) as for one that is unreachable.
        "broker_channel_error_retry": True,
        "broker_transport_options": {
            "global_keyprefix": redis.key(""),
            # More than twice the time limit, or Redis redelivers a task that still runs.
            "visibility_timeout": 2 * _TIME_LIMIT + 300,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # By default kombu encodes the base64 text in base64 once more.
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
    """Connects to the broker of `settings`. Celery itself prefers CELERY_BROKER_URL, and parses its query."""

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_read(self.conf["broker_url"], **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_write(self.conf["broker_url"], **options)


def create_celery(app: Flask, config: Config) -> Celery:
    """The app's Celery; every task runs inside an app context. Connects to nothing yet."""

    class ContextTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with logs.bound(file_id=next(iter(args), None)), app.app_context():
                return self.run(*args, **kwargs)

    def discard_connections(**_: Any) -> None:
        with app.app_context():
            db.engine.dispose(close=False)

    def configure_logging(**_: Any) -> None:
        logs.configure(config.log_format)
        log.info("tasks.queue: %s of %s", config.redis.queue, config.redis.safe_url)
        patches.hide_bodies()

    patches.use_transport()
    celery = _Celery(app.name, task_cls=ContextTask)
    celery.config_from_object(settings(config))
    celery.set_default()
    # A child process must neither share nor close connections that its parent opened.
    worker_process_init.connect(discard_connections, weak=False)
    setup_logging.connect(configure_logging, weak=False)
    worker_probe.init_app(config.lease_duration)
    return celery
