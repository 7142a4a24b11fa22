"""Log a line when a server does not respond for a while: the timeout alone would come much later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType

log = logging.getLogger("ferry_client")

WARN_AFTER_SECONDS = 10.0
"""Seconds without a response after which a line is logged."""

_CHECK_SECONDS = 1.0


class ResponseWatchdog:
    """Watches one request for the length of a `with` block, and logs at most one line.

    Does nothing if the logger is not enabled for INFO. Otherwise it costs one thread, about 0.1 ms.
    """

    def __init__(self, endpoint: object, warn_after: float, timeout: float | None) -> None:
        """`endpoint`: the server's name in the log. `warn_after`, `timeout`: seconds; the line quotes the timeout."""
        self._endpoint, self._warn_after, self._timeout = endpoint, warn_after, timeout
        self._waiting_since: float | None = time.monotonic()
        self._finished = threading.Event()

    def __enter__(self) -> ResponseWatchdog:
        if log.isEnabledFor(logging.INFO):
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._finished.set()

    def exclude_reads(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield `chunks` unchanged; the time to read each one from its source does not count as the server's."""
        iterator = iter(chunks)
        while True:
            self._waiting_since = None
            chunk = next(iterator, None)
            self._waiting_since = time.monotonic()
            if chunk is None:
                return
            yield chunk

    def _watch(self) -> None:
        while not self._finished.wait(min(_CHECK_SECONDS, self._warn_after)):
            since = self._waiting_since
            if since is not None and time.monotonic() - since >= self._warn_after:
                log.info(
                    "%s has not answered for %.0f s; waiting, %s s at most",
                    self._endpoint, self._warn_after, self._timeout,
                )  # fmt: skip
                return
