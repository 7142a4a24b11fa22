"""What a case returns: rows for the report, and the figures that more than one case takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab import Server
from load import closed_loop
from measure import Spread, ratio

MB, GIB, MIB = 10**6, 1 << 30, 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of the report. `target` is the most that was aimed at, or the least where `at_least`; None: nothing."""

    what: str
    value: str
    measured: float
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> str:
        if self.target is None:
            return ""
        good = self.measured >= self.target if self.at_least else self.measured <= self.target
        return "yes" if good else "**no**"


def rows_of(found: dict[str, list[float]], base: str, size: int, target: dict[str, float]) -> list[Row]:
    """Each contender's median seconds and MB/s, and its ratio to `base`, with a target where there is one."""
    rows = []
    for name, seconds in found.items():
        median, against = Spread.of(seconds).median, ratio(found, name, base)
        text = f"{median:.3f} s, {size / median / MB:.0f} MB/s, ratio {against}"
        rows.append(Row(name, text, against.median, target.get(name)))
    return rows


def median(found: dict[str, list[float]], name: str) -> float:
    return Spread.of(found[name]).median


def rate(server: Server, request: bytes, requests: int) -> float:
    load = closed_loop(server.port, request, connections=8, requests=requests)
    if load.failed:
        raise RuntimeError(f"{load.failed} of {requests} requests failed")
    return float(load.requests_per_second)


def peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0
