"""Graceful shutdown: finish running uploads in time, or end their attempts."""

from __future__ import annotations

import threading

from flask import Flask

from lifecycle import attempts
from services import current_services


def begin(app: Flask, seconds: float) -> None:
    """Start no further work, answer every waiting client, and end the attempts that still run after `seconds`."""
    with app.app_context():
        current_services().stop()
    limit = threading.Timer(seconds, end_in_flight, [app])
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


def end_in_flight(app: Flask) -> None:
    """End the attempts of this process, because the server is about to kill it.

    Another process can continue at once with the files of async and celery mode. Those of normal mode end as ERROR.
    """
    with app.app_context():
        attempts.end_in_flight()
