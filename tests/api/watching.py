"""Requests that wait for a change of a file: the change, the duration, and the events of a stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse


def apply_soon(app: Flask, transition: Callable[[], object]) -> threading.Thread:
    """Apply the transition in a thread, 0.3 seconds from now."""

    def run() -> None:
        time.sleep(0.3)
        with app.app_context():
            transition()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def timed(request: Callable[[], TestResponse]) -> tuple[TestResponse, float]:
    """The response and the seconds that the request took."""
    started = time.monotonic()
    return request(), time.monotonic() - started


def events(answer: TestResponse) -> list[tuple[str, dict[str, Any]]]:
    """The id and the data of each event, without comments."""
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            assert fields["event"] == "file"
            found.append((fields["id"], json.loads(fields["data"])))
    return found
