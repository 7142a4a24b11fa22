"""Mode `celery`: the bytes are safe in the spool, the client is answered, a task of a Celery worker stores them."""

from __future__ import annotations

from flask import Flask, current_app

import file
import tasks
from models import File
from modes.pool import Pool
from sent import Sent

_SENDERS = 2
"""Threads that hand files to Redis: apart from those that store, so that a slow storage delays no task."""


def upload(sent: Sent) -> File:
    """Keep `sent` and return its row, PENDING. Redis is spoken to after the answer: without it the file waits."""
    row = file.new(sent.name, sent.content_type, "celery")
    file.receive(row, sent.stream)
    current_app.extensions["celery-senders"].submit(dispatch, row.id)
    return row


def dispatch(id: str) -> None:
    """Send the file's bytes to the workers as a task."""
    tasks.send(id, file.process_file_to_stream(id, as_text=True))


def init_app(app: Flask) -> None:
    """Give the app the threads that send tasks."""
    app.extensions["celery-senders"] = Pool(app, "ferry-send", _SENDERS)
