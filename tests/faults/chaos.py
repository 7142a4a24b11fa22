"""Uploads by several clients while the parts of a cluster are killed, stopped, frozen and reset at random.

python -m tests.faults.chaos --seed 7 --n 200 [--database postgres]

The last line says what came of it. The exit code is 1 where anything was lost, stuck, left over or there twice.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults import checker
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.fault_injector import FaultInjector

_CLIENTS = 4
_BREATH_SECONDS = 3
"""Maximum pause of a client between two files: 200 files take some two minutes."""

_MOST_SECONDS = 300
"""Uploads end after this time, however many are missing."""

_SETTLE_SECONDS = 120
_PACE_SECONDS = 0.3
_SIZES = [0, 1, 1000, 70_000, 300_000, 1_000_000] * 2 + [6_000_000, 9_000_000, 12_000_000, 20_000_000, 30_000_000]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run chaos and print the findings. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeats the same faults")
    parser.add_argument("--n", type=int, default=200, help="uploads that must have been accepted")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    chosen = parser.parse_args(arguments)
    _say(f"seed={chosen.seed} n={chosen.n} database={chosen.database}")
    with (
        tempfile.TemporaryDirectory(prefix="ferry-chaos-") as folder,
        Cluster(Path(folder), database=chosen.database, workers=2) as cluster,
    ):
        findings = run(cluster, chosen.seed, chosen.n)
    for name, subjects in findings.bad.items():
        _say(f"{name}: {'; '.join(subjects)}")
    for answer in cluster.client.malformed:
        _say(answer)
    _say(" ".join(f"{name}={count}" for name, count in findings.summary.items()))
    return 1 if findings.bad or cluster.client.malformed else 0


def run(cluster: Cluster, seed: int, n: int) -> checker.Findings:
    """Upload until `n` files are accepted, with faults all the time; then repair everything and check."""
    injector, began, enough = FaultInjector(cluster, random.Random(seed)), time.monotonic(), threading.Event()
    cluster.proxy.pace = _PACE_SECONDS
    with ThreadPoolExecutor(_CLIENTS) as threads:
        clients = [threads.submit(_uploads, cluster, random.Random(f"{seed} {me}"), n) for me in range(_CLIENTS)]
        for client in clients:
            client.add_done_callback(lambda _: enough.set())
        # In this thread: restarted parts end with the thread that started them.
        injector.run_until(enough)
        for client in clients:
            client.result()
    injector.heal()
    cluster.proxy.pace = 0
    _say(f"{len(cluster.client.uploads)} uploads and {injector.count} faults in {time.monotonic() - began:.0f} s")
    _say("  " + ", ".join(f"{name} {times}" for name, times in sorted(Counter(injector.names).items())))
    return checker.settle(cluster, _SETTLE_SECONDS)


def _uploads(cluster: Cluster, rng: random.Random, n: int) -> None:
    """One client: files of any size in any mode, with pauses in between."""
    deadline = time.monotonic() + _MOST_SECONDS
    while sum(upload.accepted for upload in cluster.client.uploads) < n and time.monotonic() < deadline:
        cluster.client.upload(rng.choice(list(MODES)), rng.randbytes(rng.choice(_SIZES)))
        time.sleep(rng.uniform(0, _BREATH_SECONDS))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
