"""The minimum rate of a transfer, as a rule without a clock."""

from __future__ import annotations

from problems import RequestTimeout


class MinRate:
    """Compares the bytes of a transfer with the time spent waiting for the client to send or read them.

    Only time in which a thread waited for the client counts: a slow storage is not the client's fault.
    """

    def __init__(self, timeout: float, rate: int) -> None:
        """`timeout`: seconds without a byte. `rate`: bytes per second, averaged over two time-outs of waiting."""
        self._timeout, self._rate = timeout, rate
        self._idle = self._waited = 0.0
        self._received = 0

    def record(self, size: int, waited: float) -> None:
        """Record that `size` bytes were transferred in `waited` seconds. Raises RequestTimeout if it is too slow."""
        self._idle = 0.0 if size else self._idle + waited
        self._waited += waited
        self._received += size
        if self._idle >= self._timeout:
            raise RequestTimeout(f"No byte has come for {self._timeout} seconds.")
        if self._waited >= 2 * self._timeout:
            if self._received < self._rate * self._waited:
                raise RequestTimeout(f"Fewer than {self._rate} bytes a second have come.")
            self._waited, self._received = 0.0, 0
