"""The end of a process: what is in hand is finished, what can't be is handed back."""

from __future__ import annotations

import threading

from flask import Flask

import attempts
import storage
import window

_POOLS = ("async", "celery-senders", "celery-feeder", "removals")


def begin(app: Flask, seconds: float) -> None:
    """Take up nothing more, answer who only waits for news, and hand back in `seconds` what is in hand even then."""
    app.extensions["sweep"].stop()
    app.extensions["watching"].stop()
    limit = threading.Timer(seconds, hand_back, [app])
    limit.daemon = True
    limit.start()


def drain(app: Flask, *, drop_waiting: bool) -> None:
    """Return when the work after the answers is done: that which has begun, and unless dropped all that waits."""
    for name in _POOLS:
        app.extensions[name].drain(drop_waiting=drop_waiting)


def close(app: Flask) -> None:
    """Finish what is in hand and close the connections to the storage."""
    app.extensions["sweep"].stop()
    drain(app, drop_waiting=True)
    with app.app_context():
        storage.of().close()
        window.of().close()


def hand_back(app: Flask) -> None:
    """Give up what is still in hand: in a moment we shall be killed."""
    with app.app_context():
        attempts.hand_back()
