"""Clusters shared by many tests, one of each kind: starting one is expensive."""

from __future__ import annotations

from typing import Any

import pytest

from dev.polling import wait_until
from tests.faults import checker, inspection
from tests.faults.cluster import Cluster

_ATTEMPTS = {"MAX_ATTEMPTS": "5"}
"""A file that can't be stored ends after some 15 s."""


class ClusterPool:
    """The running clusters, by database. After a test a cluster is repaired and checked, or discarded."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self._factory = tmp_path_factory
        self._running: dict[str, Cluster] = {}

    def take(self, database: Any) -> Cluster:
        if database not in self._running:
            cluster = Cluster(self._factory.mktemp(database), database=database, settings=_ATTEMPTS)
            self._running[database] = cluster.__enter__()
            # The first sweep writes its marker: from then on, only files are sent.
            wait_until(lambda: inspection.objects(cluster, checker.MARK))
        cluster = self._running[database]
        cluster.client.uploads.clear()
        cluster.client.malformed.clear()
        return cluster

    def release(self, cluster: Cluster, seconds: float = 60) -> None:
        """Repair the cluster, wait, and assert all invariants."""
        try:
            repair(cluster)
            checker.check(cluster, seconds)
        except BaseException:
            self.throw_away(cluster)
            raise

    def throw_away(self, cluster: Cluster) -> None:
        if cluster not in self._running.values():
            return
        self._running = {name: running for name, running in self._running.items() if running is not cluster}
        cluster.__exit__()

    def end(self) -> None:
        for cluster in list(self._running.values()):
            self.throw_away(cluster)


def repair(cluster: Cluster) -> None:
    """Restart or continue all parts, and remove all faults."""
    cluster.order.unlink(missing_ok=True)
    cluster.deaf.unlink(missing_ok=True)
    cluster.proxy.heal()
    inspection.thaw(cluster)
    for name in ("s3", "redis", *(["database"] if cluster.postgres else []), *cluster.workers, "web"):
        process = cluster.running.get(name)
        if process is None or process.ended is not None:
            cluster.restart(name)
        elif name != "web" and name not in cluster.workers:
            cluster.thaw(name)
