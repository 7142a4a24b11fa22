"""What the benchmarks measure with: memory and CPU of processes, and comparisons by turns.

Linux only: memory is read from /proc.
"""

from __future__ import annotations

import os
import socket
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def answers(port: int) -> bool:
    """Whether an HTTP server on 127.0.0.1:`port` answers a GET, with whatever. gunicorn's master listens long before
    a worker is up."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /_ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return bool(connection.recv(1))
    return False


def tree(pid: int) -> list[int]:
    """`pid` and all processes below it."""
    parents = {int(path.parent.name): parent for path in Path("/proc").glob("[0-9]*/stat") if (parent := _parent(path))}
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _parent(stat: Path) -> int:
    with suppress(OSError):
        return int(_fields(stat)[1])
    return 0


def _fields(stat: Path) -> list[str]:
    """Those after the command's name, which may hold spaces and parentheses."""
    return stat.read_text().rpartition(")")[2].split()


def reset_peak(pid: int) -> None:
    """Let the peak of every process in the tree start again from what it holds now."""
    for each in tree(pid):
        with suppress(OSError):
            Path(f"/proc/{each}/clear_refs").write_text("5")


def peak_rss(pid: int) -> int:
    """Bytes: the peaks since the start or reset_peak() of the live processes in the tree, added up.

    A little too much, never too little: peaks need not fall together, and pages that a fork shares count twice.
    """
    return sum(_status(each, "VmHWM") for each in tree(pid))


def rss(pid: int) -> int:
    """Bytes that the live processes of the tree hold now, added up."""
    return sum(_status(each, "VmRSS") for each in tree(pid))


def _status(pid: int, field: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) << 10
    return 0


def cpu_seconds(pid: int) -> float:
    """User and system seconds used so far by the live processes of the tree and their ended children."""
    used = 0
    for each in tree(pid):
        with suppress(OSError):
            used += sum(int(value) for value in _fields(Path(f"/proc/{each}/stat"))[11:15])
    return used / _TICKS


def make_file(path: Path, size: int) -> Path:
    """A file of `size` random bytes, kept if it is there, and in the page cache afterwards."""
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - start)))
    with path.open("rb", buffering=0) as file:
        while file.read(8 << 20):
            pass
    return path


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    median: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value; `low` and `high` are the extremes."""
        return cls(statistics.median(values), min(values), max(values), len(values))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}..{self.high:.3g}, n={self.runs})"


def by_turns(variants: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1) -> dict[str, list[float]]:
    """Measure A B A B …: each variant once per round, so that what the machine does meanwhile hits all alike.

    Every second round runs backwards, so that no variant always follows the same one. Warm-up rounds are not counted.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(-warm_up, rounds):
        names = list(variants)
        for name in names if turn % 2 == 0 else reversed(names):
            value = variants[name]()
            if turn >= 0:
                found[name].append(value)
    return found


def ratio(found: Mapping[str, Sequence[float]], name: str, base: str) -> Spread:
    """How `name` compares with `base`, round by round: neighbours in time share their luck."""
    return Spread.of([value / against for value, against in zip(found[name], found[base], strict=True)])
