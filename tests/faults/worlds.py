"""Worlds that serve many tests: one of each kind, since its start is the dear part."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import checker, looking
from tests.faults.world import World

_ATTEMPTS = {"MAX_ATTEMPTS": "5"}
"""So that a file that can't be stored has ended after some 15 s."""


class Worlds:
    """The worlds that run, by their database. At the end of a test one is mended and checked, or thrown away."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self._factory = tmp_path_factory
        self._running: dict[str, World] = {}

    def take(self, database: Any) -> World:
        if database not in self._running:
            world = World(self._factory.mktemp(database), database=database, settings=_ATTEMPTS)
            self._running[database] = world.__enter__()
            # The first sweep marks the bucket: from then on, all that is sent are files.
            checker.wait(lambda: looking.objects(world, checker.MARK))
        world = self._running[database]
        world.client.uploads.clear()
        world.client.rude.clear()
        return world

    def give_back(self, world: World, seconds: float = 20) -> None:
        """Mend what is broken, wait, and assert all invariants."""
        try:
            mend(world)
            checker.check(world, seconds)
        except BaseException:
            self.throw_away(world)
            raise

    def throw_away(self, world: World) -> None:
        if world not in self._running.values():
            return
        self._running = {name: running for name, running in self._running.items() if running is not world}
        world.__exit__()

    def end(self) -> None:
        for world in list(self._running.values()):
            self.throw_away(world)


def mend(world: World) -> None:
    """Let everything run, and nothing fail."""
    world.order.unlink(missing_ok=True)
    world.deaf.unlink(missing_ok=True)
    world.proxy.heal()
    looking.thaw(world)
    for name in ("s3", "redis", *(["database"] if world.postgres else []), *world.workers, "web"):
        process = world.running.get(name)
        if process is None or process.ended is not None:
            world.restart(name)
        elif name != "web" and name not in world.workers:
            world.thaw(name)
