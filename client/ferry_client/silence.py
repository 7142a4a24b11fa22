"""A line in the log when a server lets a request wait: until the time-out nothing else would tell."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType

log = logging.getLogger("ferry_client")

QUIET_SECONDS = 10.0
"""Time without an answer after which a line is logged."""

_LOOK_SECONDS = 1.0


class Silence:
    """Watches one request for the length of a `with`. `place` is the server as errors name it.

    Watches nothing where the log takes no such lines. One that may be logged costs a thread, about 0.1 ms.
    """

    def __init__(self, place: object, quiet: float, most: float | None) -> None:
        """`quiet`: seconds until the line; `most`: those of the time-out, which the line names."""
        self._slot, self._quiet, self._most = place, quiet, most
        self._since: float | None = time.monotonic()
        self._over = threading.Event()

    def __enter__(self) -> Silence:
        if log.isEnabledFor(logging.INFO):
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._over.set()

    def sent(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces. The time that it takes to get the next one is not the server's."""
        rest = iter(pieces)
        while True:
            self._since = None
            piece = next(rest, None)
            self._since = time.monotonic()
            if piece is None:
                return
            yield piece

    def _watch(self) -> None:
        while not self._over.wait(min(_LOOK_SECONDS, self._quiet)):
            since = self._since
            if since is not None and time.monotonic() - since >= self._quiet:
                log.info("%s has not answered for %.0f s; waiting, %s s at most", self._slot, self._quiet, self._most)
                return
