"""The probe of a worker: one that takes no task although tasks wait for it says so and ends, to be started again.

Tasks that wait in the worker's own queues are the sign, not files that wait: of a file whose bytes can't be had there
is no task, or one that a healthy worker takes at once.
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
from celery.worker import state

from relay.transport import QoS

log = logging.getLogger("ferry.worker")

EXIT_CODE = 1
_LOOKS = 10
"""Looks in a row that must find the same: a worker that stood still, or the whole machine, is not deaf for it."""
_RECONNECT_SECONDS = 30.0
"""The longest pause that Celery makes between two tries to connect."""
_STOP_SECONDS = 10.0
"""Time to end as Celery does it, and give back what is held. What is deaf may also be unable to end."""


@dataclass(frozen=True)
class Look:
    """What is seen of a worker at one moment."""

    waiting: int
    """Tasks in its queues."""
    taken: int
    """Tasks that it has taken so far."""
    active: int
    """Tasks that its children work on."""
    connected: bool
    """Whether it has a connection to Redis, as far as it knows."""


class Deafness:
    """For how long a worker has been idle while tasks waited, counted in looks: time that nothing saw is not known."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: for how long a connected worker may be so."""
        self.every = seconds / _LOOKS
        """Seconds between two looks."""
        self._before: Look | None = None
        self._silent = 0

    def is_reached(self, look: Look | None) -> bool:
        """Whether the worker is deaf, by this look and those before. None: Redis does not answer."""
        if look is None or look.active or not look.waiting:
            self._before, self._silent = None, 0
            return False
        self._silent = self._silent + 1 if self._before and self._before.taken == look.taken else 0
        self._before = look
        return self._silent >= _LOOKS + (0 if look.connected else _RECONNECT_SECONDS / self.every)


def look_at(consumer: Any) -> Look | None:
    """What is seen of this process's worker, by a connection of its own; None where Redis does not answer."""
    try:
        with consumer.app.connection_for_read() as connection:
            channel = connection.default_channel
            waiting = sum(
                channel.queue_declare(queue=name).message_count for name in consumer.app.amqp.queues.consume_from
            )
    except Exception as error:
        log.info("worker.probe: Redis does not answer (%s)", type(error).__name__)
        return None
    return Look(waiting, QoS.taken, len(state.active_requests), consumer.connection is not None)


def watch(look: Callable[[], Look | None], seconds: float, end: Callable[[], None]) -> None:
    """Look again and again; once the worker is deaf for `seconds`, log it and call `end`."""
    deafness = Deafness(seconds)
    while not deafness.is_reached(seen := look()):
        time.sleep(deafness.every)
    log.critical(
        "worker.stalled: %d tasks wait, this worker is idle and has taken none for %.0f s. It ends with code %d",
        seen.waiting if seen else 0, seconds, EXIT_CODE,
    )  # fmt: skip
    end()


def end_worker() -> None:
    """End this worker: as Celery does it, and where that takes too long at once. Its children end with it."""
    state.should_stop = EXIT_CODE
    time.sleep(_STOP_SECONDS)
    log.critical("worker.stalled: the worker did not end within %.0f s, it is ended now", _STOP_SECONDS)
    os._exit(EXIT_CODE)


def init_app(lease_seconds: float) -> None:
    """Have every worker of this process watched from when it is ready; twice a lease is how long it may be deaf."""

    def start(sender: Any, **_: Any) -> None:
        arguments = (lambda: look_at(sender), 2 * lease_seconds, end_worker)
        threading.Thread(target=watch, args=arguments, name="ferry-probe", daemon=True).start()

    worker_ready.connect(start, weak=False)
