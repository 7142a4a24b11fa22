"""PostgreSQL failover: the primary stops, the standby is promoted, the old primary returns as a standby."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.polling import wait_until
from tests.faults import checker, inspection
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.foreign.replication import Pair, Switch

pytestmark = pytest.mark.foreign

SETTLE_SECONDS = 60


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Pair(tmp_path) as pair:
        yield pair


@pytest.fixture
def switch(pair: Pair) -> Iterator[Switch]:
    switch = Switch(pair.primary.port)
    yield switch
    switch.close()


def cluster(folder: Path, uri: str) -> Cluster:
    # The lease outlasts the failover, as the default does.
    settings = {"SQLALCHEMY_DATABASE_URI": uri, "CELERY_QUEUE": "ferry", "LEASE_DURATION": "30"}
    return Cluster(folder / "ferry", settings=settings)


def ready(cluster: Cluster) -> int:
    return requests.get(f"{cluster.client.url}/healthz/ready", timeout=30).status_code


def sent(cluster: Cluster) -> list[Any]:
    return [cluster.client.upload(mode, os.urandom(1000)) for mode in MODES]


def works(cluster: Cluster) -> bool:
    return [upload.status for upload in sent(cluster)] == list(MODES.values())


def test_a_service_on_a_stale_address_recovers_without_a_restart(tmp_path: Path, pair: Pair, switch: Switch) -> None:
    uri = f"postgresql+psycopg://ferry@127.0.0.1:{switch.port}/postgres"
    with cluster(tmp_path, uri) as ferry:
        assert works(ferry)
        checker.check(ferry, SETTLE_SECONDS)
        slow = ferry.proxy.inject("put_object", "stall")
        late = inspection.in_background(ferry.client.upload, "normal", os.urandom(1000))
        wait_until(lambda: slow.triggered)
        pair.fail_over()
        slow.released.set()
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            uploads = sent(ferry)
            assert {(upload.status, upload.slug) for upload in uploads} == {(503, "database-unavailable")}
            assert ready(ferry) == 503
            assert requests.get(f"{ferry.client.url}/files", timeout=30).status_code == 200
            time.sleep(0.5)
        switch.target, before = pair.primary.port, switch.connections
        wait_until(lambda: works(ferry), 10)

        assert ready(ferry) == 200
        assert switch.connections > before
        assert late.result(90).status == 201
        checker.check(ferry, SETTLE_SECONDS)


@pytest.mark.parametrize("spelling", ["libpq", "sqlalchemy"])
def test_a_service_with_both_hosts_finds_the_new_primary(tmp_path: Path, pair: Pair, spelling: str) -> None:
    hosts = [f"127.0.0.1:{server.port}" for server in (pair.primary, pair.standby)]
    uri = (
        f"postgresql://ferry@{','.join(hosts)}/postgres?"
        if spelling == "libpq"
        else f"postgresql+psycopg://ferry@/postgres?host={hosts[0]}&host={hosts[1]}&"
    )
    with cluster(tmp_path, f"{uri}target_session_attrs=read-write") as ferry:
        assert works(ferry)
        pair.fail_over()

        wait_until(lambda: works(ferry), 10)
        assert ready(ferry) == 200
        checker.check(ferry, SETTLE_SECONDS)
