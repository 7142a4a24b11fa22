"""Uploads with an Idempotency-Key."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text

from database import engine
from lifecycle import queries
from tests.fakes import FORM, form, part

MODES = ["normal", "async", "celery"]


def send(client: FlaskClient, mode: str, body: bytes = b"x", name: str = "a", key: str = "k-1", query: str = "") -> Any:
    """The response to an upload with the Idempotency-Key `key`."""
    sent = form(part("file", body, name))
    return client.post(f"/{mode}_upload{query}", data=sent, content_type=FORM, headers={"Idempotency-Key": key})


def files() -> int:
    """The number of files."""
    return len(queries.page(None, 100))


def shift(column: str, seconds: float) -> None:
    """Add seconds to a time of all keys."""
    engine.execute(text(f"UPDATE idempotency_keys SET {column} = {column} + {seconds}"))
