"""Watchdog of a worker: one that takes no task although tasks wait logs it and exits, to be restarted.

It counts tasks in the worker's own queues, not waiting files: a file whose bytes are unavailable has no task, or one
that a healthy worker takes at once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery.signals import worker_ready
from celery.worker import state as celery_state

from broker.transport import QoS

log = logging.getLogger("ferry.worker")

EXIT_CODE = 1
_SAMPLES = 10
"""Equal samples in a row that mean a stall: counted, because a suspended process or machine is not stalled."""
_RECONNECT_SECONDS = 30.0
"""Celery's longest pause between two attempts to connect."""
_STOP_SECONDS = 10.0
"""Time for Celery's own shutdown, which requeues tasks. A stalled worker may be unable to shut down."""


@dataclass(frozen=True)
class WorkerState:
    """A sample of a worker's state."""

    waiting: int
    """Tasks in its queues."""
    taken: int
    """Tasks that it has taken so far."""
    active: int
    """Tasks that its child processes work on."""
    connected: bool
    """Whether it has a connection to Redis, as far as it knows."""


class StallDetector:
    """Detects a worker that is idle while tasks wait. Counts samples, because unsampled time proves nothing."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how long a connected worker may be idle while tasks wait."""
        self.interval = seconds / _SAMPLES
        """Seconds between two samples."""
        self._last: WorkerState | None = None
        self._idle_samples = 0

    def is_stalled(self, state: WorkerState | None) -> bool:
        """Add a sample, None if Redis does not respond; return whether the worker is stalled."""
        if state is None or state.active or not state.waiting:
            self._last, self._idle_samples = None, 0
            return False
        is_idle = self._last is not None and self._last.taken == state.taken
        self._idle_samples = self._idle_samples + 1 if is_idle else 0
        self._last = state
        return self._idle_samples >= _SAMPLES + (0 if state.connected else _RECONNECT_SECONDS / self.interval)


def sample(consumer: Any) -> WorkerState | None:
    """Return the state of this process's worker, over a separate connection; None if Redis does not respond."""
    try:
        with consumer.app.connection_for_read() as connection:
            channel = connection.default_channel
            waiting = sum(
                channel.queue_declare(queue=name).message_count for name in consumer.app.amqp.queues.consume_from
            )
    except Exception as error:
        log.info("worker.probe_failed: Redis does not respond (%s)", type(error).__name__)
        return None
    return WorkerState(waiting, QoS.taken, len(celery_state.active_requests), consumer.connection is not None)


def watch(get_state: Callable[[], WorkerState | None], seconds: float, stop: Callable[[], None]) -> None:
    """Sample the worker until it has been stalled for `seconds`; then log it and call `stop`."""
    detector = StallDetector(seconds)
    while not detector.is_stalled(state := get_state()):
        time.sleep(detector.interval)
    log.critical(
        "worker.stalled: %d tasks wait, this worker is idle and has taken none for %.0f s. It exits with code %d",
        state.waiting if state else 0, seconds, EXIT_CODE,
    )  # fmt: skip
    stop()


def stop_worker() -> None:
    """Shut down Celery's worker; exit at once if that takes too long. Its child processes end with it."""
    celery_state.should_stop = EXIT_CODE
    time.sleep(_STOP_SECONDS)
    log.critical("worker.stalled: the worker did not shut down within %.0f s, exiting now", _STOP_SECONDS)
    os._exit(EXIT_CODE)


def init_app(lease_seconds: float) -> None:
    """Watch every worker of this process once it is ready; it may be stalled for two leases."""

    def start(sender: Any, **_: Any) -> None:
        arguments = (lambda: sample(sender), 2 * lease_seconds, stop_worker)
        threading.Thread(target=watch, args=arguments, name="ferry-probe", daemon=True).start()

    worker_ready.connect(start, weak=False)
