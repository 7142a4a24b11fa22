"""Random faults in a cluster. Each is bounded in time, and repaired at its end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.faults.cluster import Cluster
from tests.faults.injected import Kind

_OPERATIONS = (
    "put_object", "create_multipart", "upload_part", "complete_multipart", "head_object", "abort_multipart", "any",
)  # fmt: skip


class FaultInjector:
    """Breaks one part after the other, in the same order for the same `rng`."""

    def __init__(self, cluster: Cluster, rng: random.Random) -> None:
        self._cluster, self._rng = cluster, rng
        self.names: list[str] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "web child killed": lambda: self._kill_child("web"),
            "web killed": lambda: self._gone("web", self._cluster.kill),
            "web stopped": lambda: self._gone("web", self._cluster.stop),
            "web frozen": lambda: self._frozen("web"),
            "worker child killed": lambda: self._kill_child(self._worker()),
            "worker killed": lambda: self._gone(self._worker(), self._cluster.kill),
            "worker stopped": lambda: self._gone(self._worker(), self._stop_group),
            "worker frozen": lambda: self._frozen(self._worker()),
            "redis killed": lambda: self._gone("redis", self._cluster.kill),
            "redis frozen": lambda: self._frozen("redis"),
            "storage fails": self._storage_fails,
            "storage hangs": self._storage_hangs,
            "storage resets": lambda: self._cluster.proxy.cut(),
            "storage down": self._storage_down,
        }
        if cluster.postgres:
            self._kinds["database killed"] = lambda: self._gone("database", self._cluster.kill)
            self._kinds["database frozen"] = lambda: self._frozen("database")

    @property
    def count(self) -> int:
        return len(self.names)

    def run_until(self, end: threading.Event) -> None:
        """Inject one fault after the other, with pauses in between."""
        self._end = end
        while not end.wait(self._rng.uniform(0.5, 2)):
            name = self._rng.choice(list(self._kinds))
            self.names.append(name)
            self._kinds[name]()

    def heal(self) -> None:
        """Restart all parts, and remove all faults."""
        self._cluster.proxy.heal()
        for name, process in list(self._cluster.running.items()):
            if process.ended is not None:
                self._cluster.restart(name)

    def _pause(self) -> None:
        self._end.wait(self._rng.uniform(0.3, 4))

    def _worker(self) -> str:
        return self._rng.choice(self._cluster.workers)

    def _stop_group(self, name: str) -> None:
        """Stop all its processes, as systemd does by default, with a short grace period."""
        self._cluster.stop(name, 3, group=True)

    def _kill_child(self, name: str) -> None:
        # The previous child may not be replaced yet.
        with suppress(IndexError):
            self._cluster.kill_child(name)

    def _gone(self, name: str, end: Callable[[str], object]) -> None:
        end(name)
        self._pause()
        self._cluster.start(name)

    def _frozen(self, name: str) -> None:
        self._cluster.freeze(name)
        self._pause()
        self._cluster.thaw(name)

    def _storage_fails(self) -> None:
        kind: Kind = self._rng.choice(["status", "reset", "lost_reply", "err200", "corrupt", "wrong_etag"])
        operation = "complete_multipart" if kind == "err200" else self._rng.choice(_OPERATIONS)
        if kind in ("corrupt", "wrong_etag"):
            operation = self._rng.choice(["put_object", "upload_part"])
        self._cluster.proxy.inject(operation, kind, times=self._rng.randint(1, 8), after=self._rng.randrange(100_000))
        self._pause()
        self._cluster.proxy.heal()

    def _storage_hangs(self) -> None:
        kind: Kind = self._rng.choice(["hang", "stall"])
        self._cluster.proxy.inject(self._rng.choice(_OPERATIONS), kind, times=self._rng.randint(1, 8))
        self._pause()
        self._cluster.proxy.heal()

    def _storage_down(self) -> None:
        self._cluster.proxy.stop()
        self._pause()
        self._cluster.proxy.heal()
