"""Processes that are killed, stopped or frozen, and files that kill their workers."""

from __future__ import annotations

import os
import signal
import subprocess
from concurrent.futures import Future

import pytest

from app import create_app
from dev import parts
from dev.polling import wait_until
from tasks import send_inline
from tests.fakes import services_of
from tests.faults import inspection
from tests.faults.client import Upload
from tests.faults.cluster import Cluster
from tests.faults.injected import Fault
from tests.faults.inspection import bodies_sent, ends_as, has_status, in_background, objects, row
from tests.harness import sessions

pytestmark = pytest.mark.faults

SMALL, LARGE = 100_000, 9 << 20


def under_way(cluster: Cluster, mode: str, size: int = SMALL) -> tuple[Upload, Fault]:
    """A file in the middle of its upload, whose process waits for the storage."""
    slow = cluster.proxy.inject("put_object" if size == SMALL else "upload_part", "stall")
    upload = cluster.client.upload(mode, os.urandom(size))
    wait_until(lambda: slow.triggered)
    return upload, slow


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_killed_web_service_loses_no_accepted_file(cluster: Cluster, size: int) -> None:
    """gunicorn's master and its workers."""
    upload, _ = under_way(cluster, "async", size)
    cluster.kill("web")
    assert has_status(cluster, upload, "PROCESSING")
    cluster.start("web")

    assert ends_as(cluster, upload, "COMPLETE").attempt == 2


def test_a_client_whose_server_was_killed_leaves_nothing_behind(cluster: Cluster) -> None:
    """In normal mode: the file was not accepted yet, and the bytes are lost."""
    slow = cluster.proxy.inject("upload_part", "stall")
    sending: Future[Upload] = in_background(cluster.client.upload, "normal", os.urandom(LARGE))
    wait_until(lambda: slow.triggered)
    cluster.kill("web")
    cluster.start("web")

    assert sending.result(10).status == 0
    wait_until(lambda: row(cluster).error == "server-stopped")


@pytest.mark.parametrize("mode", ["normal", "async"])
def test_a_stopping_service_finishes_short_uploads(cluster: Cluster, mode: str) -> None:
    slow = cluster.proxy.inject("put_object", "stall")
    sending = in_background(cluster.client.upload, mode, os.urandom(SMALL))
    wait_until(lambda: slow.triggered)
    stopping = in_background(cluster.stop, "web", 15)
    wait_until(lambda: "Handling signal: term" in cluster.log("web").read_text())
    slow.released.set()

    assert stopping.result(15) == 0
    assert has_status(cluster, sending.result(10), "COMPLETE")


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_killed_child_of_the_worker_loses_no_file(cluster: Cluster, size: int) -> None:
    upload, slow = under_way(cluster, "celery", size)
    for pid in cluster.children("worker"):
        os.kill(pid, signal.SIGKILL)
    slow.released.set()

    assert ends_as(cluster, upload, "COMPLETE").attempt >= 2


def test_a_killed_worker_loses_no_file(cluster: Cluster) -> None:
    """Parent and children. The broker would redeliver the task only after two hours."""
    upload, _ = under_way(cluster, "celery")
    cluster.kill("worker")
    cluster.start("worker")

    assert ends_as(cluster, upload, "COMPLETE").attempt == 2


@pytest.mark.parametrize("seconds", [30, 2])
def test_a_worker_stopped_with_its_children_loses_no_file(cluster: Cluster, seconds: int) -> None:
    """As systemd does by default; with a short grace period SIGKILL follows."""
    upload, slow = under_way(cluster, "celery")
    stopping = in_background(cluster.stop, "worker", seconds, group=True)
    wait_until(lambda: stopping.done() or seconds == 30)
    slow.released.set()
    stopping.result(30)
    cluster.start("worker")

    ends_as(cluster, upload, "COMPLETE")


def test_a_task_delivered_twice_runs_once(cluster: Cluster) -> None:
    """The second task finds the file claimed, whichever worker takes it."""
    before = bodies_sent(cluster)
    upload, slow = under_way(cluster, "celery")
    queued_again(cluster, upload)
    wait_until(lambda: f"{upload.id}: attempt.skipped" in cluster.log("worker").read_text())
    slow.released.set()

    assert ends_as(cluster, upload, "COMPLETE").attempt == 1
    assert bodies_sent(cluster) == before + 1
    queued_again(cluster, upload)


def queued_again(cluster: Cluster, upload: Upload) -> None:
    app = create_app({**cluster.env, "FERRY_DATA": str(cluster.data)})
    with app.app_context():
        if (cluster.data / "spool" / str(upload.id)).exists():
            send_inline(str(upload.id))
        else:
            services_of(app).celery.send_task("ferry.upload", (upload.id, ""))
        app.extensions["sqlalchemy"].engine.dispose()
        services_of(app).celery.close()


@pytest.mark.parametrize("mode", ["async", "celery"])
def test_a_file_that_kills_every_worker_ends_as_error(cluster: Cluster, mode: str) -> None:
    """MAX_ATTEMPTS limits the damage."""
    cluster.fail("claimed", "kill9")
    upload = cluster.client.upload(mode, os.urandom(SMALL))

    def has_ended() -> bool:
        if cluster.triggered():
            cluster.fail("claimed", "kill9")
        return has_status(cluster, upload, "ERROR")

    wait_until(has_ended, 60)
    found = row(cluster, upload.id)
    assert (found.error, found.attempt) == ("attempts-exhausted", 5)


def test_a_resumed_request_that_lost_its_lease_answers_its_client(postgres_cluster: Cluster) -> None:
    """In normal mode no other process can continue: the file ends, and its object is removed."""
    cluster = postgres_cluster
    cluster.fail("before_finish_update", "freeze")
    sending = in_background(cluster.client.upload, "normal", os.urandom(SMALL))
    wait_until(lambda: inspection.frozen(cluster))
    wait_until(lambda: row(cluster).upload_status == "ERROR")
    inspection.thaw(cluster)

    assert (sending.result(20).status, sending.result(20).slug) == (503, "lease-lost")
    wait_until(lambda: objects(cluster, row(cluster).id) == [])


def test_concurrent_sweeps_and_a_killed_one_do_no_harm(cluster: Cluster) -> None:
    """While the services sweep too, during a multipart upload."""
    upload, slow = under_way(cluster, "async", LARGE)
    argv = [str(parts.BIN / "flask"), "--app", "app", "sweep", "--once"]
    options = {"cwd": parts.ROOT, "env": {**os.environ, **cluster.env}, "stdout": -3, "stderr": -3}
    sweeps = [subprocess.Popen(argv, **options) for _ in range(3)]  # type: ignore[call-overload]
    wait_until(lambda: cluster.proxy.seen("list_uploads") > 0)
    killed = sweeps.pop()
    killed.kill()
    killed.wait()
    codes = [sweep.wait(120) for sweep in sweeps]
    slow.released.set()

    assert codes == [0, 0]
    assert ends_as(cluster, upload, "COMPLETE").attempt == 1


def test_no_process_outlives_its_service(cluster: Cluster) -> None:
    pids = inspection.services(cluster)
    cluster.stop("web")
    cluster.stop("worker")

    assert [pid for pid in pids if not sessions.has_ended(pid)] == []
