"""When a request is sent again, and after which pause."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ferry_client.errors import FerryError, Unreachable, WrongAddress

log = logging.getLogger("ferry_client")
Result = TypeVar("Result")

_PASSING = (408, 425, 429, 502, 503, 504)
"""408: the body stalled on its way; the request may be repeated (RFC 9110 §15.5.9). 425: so may this one (RFC 8470
§5.2). 500 is not among them: Ferry answers so where it is at fault, and would again.
"""
_LASTING = ("storage-denied", "storage-no-bucket", "storage-rejected", "storage-missing")
"""502 of Ferry's own that no pause mends: the operator has to. Any other is a proxy's, or may pass."""

_FIRST, _LONGEST = 0.5, 30.0
_FULL_HOUSE = 20
"""How much longer 429 is borne: places that others hold come free when those are done, not when a fault is mended."""


def may_pass(error: FerryError) -> bool:
    """Whether the same request may be answered otherwise after a pause."""
    if isinstance(error, Unreachable):
        return not isinstance(error, WrongAddress)
    in_use = error.slug == "idempotency-key-in-use"  # The first request was cut from us, not from the server.
    return in_use or (error.status in _PASSING and error.slug not in _LASTING)


def pause_after(error: FerryError, failures: int, waited: float, patience: float, luck: float) -> float | None:
    """Seconds until the next try after the `failures`th; None: no more of them.

    Each pause is up to twice the one before, never less than Retry-After asks for (RFC 9110 §10.2.3); `luck`, from 0
    to 1, keeps clients apart that failed together. All pauses together, and the time in which nothing was
    transferred (`waited` so far), take no more than `patience`.
    """
    if not may_pass(error):
        return None
    pause = min(_FIRST * 2 ** (failures - 1), _LONGEST) * (0.5 + luck / 2)
    if error.retry_after is not None:
        pause = error.retry_after + pause / 2
    most = patience * (_FULL_HOUSE if error.status == 429 else 1)
    return pause if waited + pause <= most else None


def repeated(call: Callable[[], Result], patience: float, again: Callable[[], bool] = lambda: True) -> Result:
    """What `call` returns, called again while its FerryError may pass and `again` says that it can be."""
    failures, waited = 0, 0.0
    while True:
        try:
            return call()
        except FerryError as error:
            failures += 1
            idle = error.idle if isinstance(error, Unreachable) else 0.0
            pause = pause_after(error, failures, waited + idle, patience, random.random())  # noqa: S311
            if pause is None or not again():
                raise
            log.info("%s; again in %.1f s", error, pause)
        time.sleep(pause)
        waited += pause + idle
