"""What Ferry changes in kombu and Celery, because no setting does it."""

from __future__ import annotations

from typing import Any

from celery.worker.consumer import consumer
from kombu.transport import TRANSPORT_ALIASES


def use_transport() -> None:
    """Make kombu use `broker.transport` for Redis. The names stay: kombu decides about TLS by them."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "broker.transport:Transport"))


def hide_bodies() -> None:
    """Keep the bytes of files out of the log: Celery logs the first kilobyte of an unknown or malformed task."""
    consumer.dump_body = _body_size


def _body_size(message: Any, body: object) -> str:
    return f"{len(message.body)} bytes"
