"""Mode `async`: the bytes are safe in the spool, the client is answered, a thread stores them."""

from __future__ import annotations

from flask import Flask, current_app

import file
from models import File
from modes.pool import Pool
from sent import Sent


def upload(sent: Sent) -> File:
    """Keep `sent` and return its row, PENDING."""
    row = file.new(sent.name, sent.content_type, "async")
    file.receive(row, sent.stream)
    current_app.extensions["async"].submit(file.upload_file, row.id)
    return row


def init_app(app: Flask, threads: int) -> None:
    """Give the app the threads that store files, at most so many at once."""
    app.extensions["async"] = Pool(app, "ferry-store", threads)
