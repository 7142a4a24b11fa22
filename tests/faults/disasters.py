"""What may befall a world at random. Each disaster is bounded in time, and what it broke is mended when it ends."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.faults.injected import Kind
from tests.faults.world import World

_OPERATIONS = (
    "put_object", "create_multipart", "upload_part", "complete_multipart", "head_object", "abort_multipart", "any",
)  # fmt: skip


class Disasters:
    """Strikes one part after the other. The same dice strike in the same order."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self._world, self._dice = world, dice
        self.names: list[str] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "web child killed": lambda: self._kill_child("web"),
            "web killed": lambda: self._gone("web", self._world.kill),
            "web stopped": lambda: self._gone("web", self._world.stop),
            "web frozen": lambda: self._frozen("web"),
            "worker child killed": lambda: self._kill_child(self._worker()),
            "worker killed": lambda: self._gone(self._worker(), self._world.kill),
            "worker stopped": lambda: self._gone(self._worker(), self._stop_group),
            "worker frozen": lambda: self._frozen(self._worker()),
            "redis killed": lambda: self._gone("redis", self._world.kill),
            "redis frozen": lambda: self._frozen("redis"),
            "storage fails": self._storage_fails,
            "storage hangs": self._storage_hangs,
            "storage resets": lambda: self._world.proxy.cut(),
            "storage down": self._storage_down,
        }
        if world.postgres:
            self._kinds["database killed"] = lambda: self._gone("database", self._world.kill)
            self._kinds["database frozen"] = lambda: self._frozen("database")

    @property
    def count(self) -> int:
        return len(self.names)

    def strike_until(self, end: threading.Event) -> None:
        """One disaster after the other, with some peace in between."""
        self._end = end
        while not end.wait(self._dice.uniform(0.5, 2)):
            name = self._dice.choice(list(self._kinds))
            self.names.append(name)
            self._kinds[name]()

    def heal(self) -> None:
        """Let everything run and nothing fail."""
        self._world.proxy.heal()
        for name, process in list(self._world.running.items()):
            if process.ended is not None:
                self._world.restart(name)

    def _pause(self) -> None:
        self._end.wait(self._dice.uniform(0.3, 4))

    def _worker(self) -> str:
        return self._dice.choice(self._world.workers)

    def _stop_group(self, name: str) -> None:
        """As systemd stops a service that is not told better, and as an impatient orchestrator ends it."""
        self._world.stop(name, 3, group=True)

    def _kill_child(self, name: str) -> None:
        # It may be about to be replaced after the last time.
        with suppress(IndexError):
            self._world.kill_child(name)

    def _gone(self, name: str, end: Callable[[str], object]) -> None:
        end(name)
        self._pause()
        self._world.start(name)

    def _frozen(self, name: str) -> None:
        self._world.freeze(name)
        self._pause()
        self._world.thaw(name)

    def _storage_fails(self) -> None:
        kind: Kind = self._dice.choice(["status", "reset", "lost_reply", "err200", "corrupt", "wrong_etag"])
        operation = "complete_multipart" if kind == "err200" else self._dice.choice(_OPERATIONS)
        if kind in ("corrupt", "wrong_etag"):
            operation = self._dice.choice(["put_object", "upload_part"])
        self._world.proxy.inject(operation, kind, times=self._dice.randint(1, 8), after=self._dice.randrange(100_000))
        self._pause()
        self._world.proxy.heal()

    def _storage_hangs(self) -> None:
        kind: Kind = self._dice.choice(["hang", "stall"])
        self._world.proxy.inject(self._dice.choice(_OPERATIONS), kind, times=self._dice.randint(1, 8))
        self._pause()
        self._world.proxy.heal()

    def _storage_down(self) -> None:
        self._world.proxy.stop()
        self._pause()
        self._world.proxy.heal()
