"""Uploads by several clients while everything under them is killed, stopped, frozen and reset at random.

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
from tests.faults.disasters import Disasters
from tests.faults.world import World

_CLIENTS = 4
_BREATH_SECONDS = 3
"""Longest pause of a client between two files: 200 files take some two minutes."""

_MOST_SECONDS = 300
"""After this nobody uploads any more, however many are missing."""

_SETTLE_SECONDS = 120
_PACE_SECONDS = 0.3
_SIZES = [0, 1, 1000, 70_000, 300_000, 1_000_000] * 2 + [6_000_000, 9_000_000, 12_000_000, 20_000_000, 30_000_000]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="repeats the same disasters")
    parser.add_argument("--n", type=int, default=200, help="uploads that must have been accepted")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    chosen = parser.parse_args(arguments)
    _say(f"seed={chosen.seed} n={chosen.n} database={chosen.database}")
    with (
        tempfile.TemporaryDirectory(prefix="ferry-chaos-") as folder,
        World(Path(folder), database=chosen.database, workers=2) as world,
    ):
        findings = run(world, chosen.seed, chosen.n)
    for name, subjects in findings.bad.items():
        _say(f"{name}: {'; '.join(subjects)}")
    for answer in world.client.rude:
        _say(answer)
    _say(" ".join(f"{name}={count}" for name, count in findings.summary.items()))
    return 1 if findings.bad or world.client.rude else 0


def run(world: World, seed: int, n: int) -> checker.Findings:
    """Upload until `n` files are accepted, with disasters all the time; then heal everything and look."""
    disasters, began, enough = Disasters(world, random.Random(seed)), time.monotonic(), threading.Event()
    world.proxy.pace = _PACE_SECONDS
    with ThreadPoolExecutor(_CLIENTS) as threads:
        clients = [threads.submit(_uploads, world, random.Random(f"{seed} {me}"), n) for me in range(_CLIENTS)]
        for client in clients:
            client.add_done_callback(lambda _: enough.set())
        # In this thread: the parts that it brings back would end with any other.
        disasters.strike_until(enough)
        for client in clients:
            client.result()
    disasters.heal()
    world.proxy.pace = 0
    _say(f"{len(world.client.uploads)} uploads and {disasters.count} disasters in {time.monotonic() - began:.0f} s")
    _say("  " + ", ".join(f"{name} {times}" for name, times in sorted(Counter(disasters.names).items())))
    return checker.settle(world, _SETTLE_SECONDS)


def _uploads(world: World, dice: random.Random, n: int) -> None:
    """One client: file after file, of any size, in any mode, with a breath in between."""
    deadline = time.monotonic() + _MOST_SECONDS
    while sum(upload.accepted for upload in world.client.uploads) < n and time.monotonic() < deadline:
        world.client.upload(dice.choice(list(MODES)), dice.randbytes(dice.choice(_SIZES)))
        time.sleep(dice.uniform(0, _BREATH_SECONDS))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
