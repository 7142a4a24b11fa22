"""Ferry behind PgBouncer in transaction mode, as Debian packages it."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from dev import parts
from dev.polling import wait_until
from dev.process import free_port
from tests.faults import checker, inspection
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.cluster_pool import repair
from tests.foreign.pgbouncer import PgBouncer
from tests.harness import postgres

pytestmark = pytest.mark.foreign

UPLOADS, AT_ONCE = 400, 24
OWN_ANSWERS = set(MODES.values())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, PgBouncer]]:
    """All of Ferry as processes, with the pooler as its database, also for the migration."""
    port = free_port()
    settings = {"SQLALCHEMY_DATABASE_URI": postgres.url(port), "MAX_ATTEMPTS": "5", "CELERY_QUEUE": "ferry"}
    cluster = Cluster(tmp_path_factory.mktemp("pgbouncer"), database="postgres", settings=settings)
    pooler = PgBouncer(port, cluster.database_port)
    try:
        pooler.start()
        with cluster:
            wait_until(lambda: inspection.objects(cluster, checker.MARK))
            yield cluster, pooler
    finally:
        pooler.remove()


@pytest.fixture
def pooler(running: tuple[Cluster, PgBouncer]) -> PgBouncer:
    return running[1]


@pytest.fixture
def cluster(running: tuple[Cluster, PgBouncer]) -> Iterator[Cluster]:
    """After the test: no file is lost, stuck, orphaned or duplicated, and the next upload works."""
    cluster, pooler = running
    cluster.client.uploads.clear()
    cluster.client.malformed.clear()
    yield cluster
    pooler.start()
    repair(cluster)
    checker.check(cluster, 60)


def uploaded(cluster: Cluster, count: int) -> Counter[tuple[str, int]]:
    """Count the responses of `count` uploads by mode and status."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        modes = [mode for _ in range(count // len(MODES) + 1) for mode in MODES][:count]
        sent = list(threads.map(lambda mode: cluster.client.upload(mode, os.urandom(5000)), modes))
    return Counter((upload.mode, upload.status) for upload in sent)


@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options"], ids=["refuses", "drops"])
def test_hundreds_of_uploads_pass_a_pooler_without_errors(cluster: Cluster, pooler: PgBouncer, more: str) -> None:
    pooler.start(more)
    cluster.restart("web")
    answers = uploaded(cluster, UPLOADS)
    listed = Counter(requests.get(f"{cluster.client.url}/files", timeout=30).status_code for _ in range(100))

    assert set(answers) == set(MODES.items()), answers
    assert listed == {200: 100}
    assert requests.get(f"{cluster.client.url}/healthz/ready", timeout=30).status_code == 200


def test_doctor_reports_the_pooler(cluster: Cluster) -> None:
    ran = subprocess.run(
        [str(parts.BIN / "flask"), "doctor"], cwd=parts.ROOT, env={**os.environ, **cluster.env},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert "reached, through a connection pooler, schema up to date" in ran.stdout


def test_a_restarted_pooler_delays_uploads_by_seconds(cluster: Cluster, pooler: PgBouncer) -> None:
    sending = inspection.in_background(uploaded, cluster, 120)
    time.sleep(0.3)
    pooler.start()
    answers = sending.result(90)

    assert {status for _, status in answers} <= OWN_ANSWERS | {503}, answers
    wait_until(lambda: uploaded(cluster, 3).keys() == set(MODES.items()), 30)


def test_a_server_restarted_behind_the_pooler_delays_uploads_by_seconds(cluster: Cluster) -> None:
    sending = inspection.in_background(uploaded, cluster, 120)
    time.sleep(0.3)
    cluster.restart("database")
    answers = sending.result(90)

    assert {status for _, status in answers} <= OWN_ANSWERS | {503}, answers
    wait_until(lambda: uploaded(cluster, 3).keys() == set(MODES.items()), 60)


@pytest.mark.parametrize(
    "more", ["max_client_conn = 15", "query_wait_timeout = 1\ndefault_pool_size = 1", "server_idle_timeout = 1"]
)
def test_a_refusing_pooler_is_an_unavailable_database(cluster: Cluster, pooler: PgBouncer, more: str) -> None:
    pooler.start(more)
    answers = uploaded(cluster, 60)

    assert {status for _, status in answers} <= OWN_ANSWERS | {503}, answers
