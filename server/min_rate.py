"""How slowly a body may come. A rule without a clock."""

from __future__ import annotations

from problems import RequestTimeout


class MinRate:
    """Counts bytes against the time that was spent waiting for them.

    Time in which nobody waited does not count: a storage that is slow is not the client's fault.
    """

    def __init__(self, stall: float, rate: int) -> None:
        """`stall`: seconds without a byte that are too many. `rate`: bytes a second, over any two stalls."""
        self._stall, self._rate = stall, rate
        self._silent = self._waited = 0.0
        self._came = 0

    def record(self, size: int, waited: float) -> None:
        """Note that `size` bytes came after `waited` seconds. Raises RequestTimeout where that is too slow."""
        self._silent = 0.0 if size else self._silent + waited
        self._waited += waited
        self._came += size
        if self._silent >= self._stall:
            raise RequestTimeout(f"No byte has come for {self._stall} seconds.")
        if self._waited >= 2 * self._stall:
            if self._came < self._rate * self._waited:
                raise RequestTimeout(f"Fewer than {self._rate} bytes a second have come.")
            self._waited, self._came = 0.0, 0
