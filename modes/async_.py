"""Mode `async`: the bytes are safe in the spool, the client is answered, a thread stores them."""

from __future__ import annotations

from flask import Flask, current_app

import file
from models import File
from pool import Pool
from sent import Sent


def upload(row: File, sent: Sent) -> None:
    """Keep `sent`; the row is PENDING on return."""
    file.receive(row, sent.stream, sent.bound, sent.client)
    hand_out(row)


def hand_out(row: File) -> None:
    """Have a thread store a waiting file."""
    current_app.extensions["async"].submit(file.upload_file, row.id)


def init_app(app: Flask, threads: int) -> None:
    """Give the app the threads that store files, at most so many at once."""
    app.extensions["async"] = Pool(app, "ferry-store", threads)
