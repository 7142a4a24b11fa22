"""Ports for parts that will be killed and started again on the same one."""

from __future__ import annotations

import random
import threading

from dev.process import is_free

_LOWEST, _HIGHEST = 15000, 32000
"""Below those that Linux gives to outgoing connections: one of them could sit on the port of a part that is down."""

_given: set[int] = set()
_lock = threading.Lock()


def lasting_port() -> int:
    """A port of the loopback address that stays free, as far as we can tell."""
    with _lock:
        while True:
            port = random.randint(_LOWEST, _HIGHEST)
            if port not in _given and is_free(port):
                _given.add(port)
                return port
