"""Graceful shutdown: finish running uploads in time, or requeue them for another process."""

from __future__ import annotations

import threading

from flask import Flask

from lifecycle import attempts
from services import current_services


def begin(app: Flask, seconds: float) -> None:
    """Start no further work, answer every waiting client, and requeue what still runs after `seconds`."""
    with app.app_context():
        current_services().stop()
    limit = threading.Timer(seconds, requeue_in_flight, [app])
    limit.daemon = True
    limit.start()


def drain(app: Flask, *, cancel_pending: bool) -> None:
    """Return when running background jobs have ended, and pending ones too unless they are cancelled."""
    with app.app_context():
        current_services().drain(cancel_pending=cancel_pending)


def close(app: Flask) -> None:
    """Finish running work and close the connections to the storage and to Redis."""
    with app.app_context():
        services = current_services()
        services.sweeper.stop()
        services.drain(cancel_pending=True)
        services.close()


def requeue_in_flight(app: Flask) -> None:
    """Put back to PENDING every file that this process stores: the server is about to kill it."""
    with app.app_context():
        attempts.requeue_in_flight()
