"""Files in progress when a part of Ferry is stopped, fails or is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from dev import parts
from dev.polling import eventually
from dev.process import Process, free_port
from tests.harness.raw_client import RawClient, post
from tests.harness.sessions import children
from tests.harness.stack import MODES, Stack, printed


class TestStop:
    """SIGTERM to the web process while it stores files on a stopped storage."""

    @pytest.fixture
    def own_stack(self, tmp_path: Path) -> Iterator[Stack]:
        with Stack(tmp_path, {"SHUTDOWN_TIMEOUT": "6", "LEASE_DURATION": "60", "WEB_WORKERS": "1"}) as stack:
            yield stack

    def stop_while_storing(self, stack: Stack) -> list[str]:
        stack.running["s3"].signal(signal.SIGSTOP)
        ids = [stack.upload("async", bytes(100_000)).json()["id"] for _ in range(3)]
        for id in ids:
            stack.until(id, lambda file: file["status"] == "PROCESSING")
        stack.running["web"].signal(signal.SIGTERM)
        return ids

    def test_files_being_stored_are_finished(self, own_stack: Stack) -> None:
        ids = self.stop_while_storing(own_stack)
        time.sleep(1)
        own_stack.running["s3"].signal(signal.SIGCONT)

        assert own_stack.stop("web") == 0
        own_stack.start("web")
        assert {own_stack.status(id)["status"] for id in ids} == {"COMPLETE"}

    def test_files_that_can_not_be_finished_are_requeued(self, own_stack: Stack) -> None:
        ids = self.stop_while_storing(own_stack)
        started = time.monotonic()
        own_stack.stop("web")

        assert time.monotonic() - started < 10
        own_stack.running["s3"].signal(signal.SIGCONT)
        own_stack.start("web")
        files = [own_stack.status(id) for id in ids]
        assert {(file["status"], file["error"]) for file in files} == {("PENDING", "server-stopped")}
        assert sorted(own_stack.spooled()) == sorted(ids)


def test_slow_clients_delay_no_shutdown(tmp_path: Path) -> None:
    """One has sent half a head, one goes on sending after its response. Without a shutdown each has 15 seconds."""
    refused = post("/normal_upload", b"", length=9999)
    with Stack(tmp_path, {"SHUTDOWN_TIMEOUT": "30"}) as stack, ExitStack() as clients:
        for sent in (b"GET / HTTP/1.1\r\n", refused):
            client = clients.enter_context(RawClient(stack.ports.web))
            client.send(sent)
        assert client.reply().status == 400
        started = time.monotonic()

        assert stack.stop("web") == 0
        assert time.monotonic() - started < 10


def test_a_stop_signal_reaches_a_process_that_was_just_forked(tmp_path: Path) -> None:
    """It has its master's signal handlers for some milliseconds. A signal in that time must end it too."""
    settings = tmp_path / "gunicorn.conf.py"
    settings.write_text(
        f"exec(open({str(parts.ROOT / 'gunicorn.conf.py')!r}).read())\n"
        "forked = post_fork\n"
        "def post_fork(server, worker):\n"
        "    forked(server, worker)\n"
        "    if worker.age == 1:\n"
        f"        open({str(tmp_path / 'first')!r}, 'w').write(str(os.getpid()))\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "import signal\n"
    )
    env = parts.environment(tmp_path, parts.Ports(1, 2, 3, free_port())) | {"WEB_WORKERS": "1"}
    parts.upgrade(env)
    argv = [str(parts.BIN / "gunicorn"), "-c", str(settings), "app:create_app()"]
    with Process("web", argv, env, tmp_path / "log") as service:
        assert eventually(lambda: printed(service).count("Booting worker") == 2)
        assert (tmp_path / "first").read_text() not in map(str, children(service.pid))


def test_a_stopped_storage_loses_no_file_and_completes_none(own_stack: Stack) -> None:
    own_stack.stop("s3")
    responses = {mode: own_stack.upload(mode, b"x" * 100_000) for mode in MODES}

    normal = responses["normal"].json()
    assert (responses["normal"].status_code, normal["type"]) == (503, "/problems/storage-unavailable")
    assert responses["normal"].headers["Content-Type"] == "application/problem+json"
    ended = requests.get(f"{own_stack.url}/files?status=ERROR", timeout=10).json()["files"]
    assert [(file["mode"], file["error"]) for file in ended] == [("normal", "storage-unavailable")]
    for mode in ("async", "celery"):
        id = responses[mode].json()["id"]
        file = own_stack.until(id, lambda file: file["error"] is not None)
        assert (file["status"], file["error"], file["url"]) == ("PENDING", "storage-unavailable", None)
        assert id in own_stack.spooled()
    assert own_stack.objects() == {}


def test_a_stopped_redis_delays_no_response(own_stack: Stack) -> None:
    own_stack.stop("redis")
    started = time.monotonic()
    response = own_stack.upload("celery", b"x")

    assert response.status_code == 202
    assert time.monotonic() - started < 3
    assert own_stack.status(response.json()["id"])["status"] == "PENDING"
    assert own_stack.spooled() == [response.json()["id"]]


def test_a_file_larger_than_redis_memory_is_relayed(own_stack: Stack) -> None:
    """600 MB: Redis has 512, and one file may use a small part of it."""
    response = requests.post(
        f"{own_stack.url}/celery_upload?name=large.bin",
        data=(bytes(1_000_000) for _ in range(600)),
        headers={"Content-Type": "application/octet-stream"},
        timeout=60,
    )
    file = own_stack.ended(response.json()["id"], 60)

    assert (response.status_code, file["status"], file["size"]) == (202, "COMPLETE", 600_000_000)
    assert own_stack.spooled() == []


def test_a_killed_worker_child_loses_no_file(own_stack: Stack) -> None:
    """The storage is stopped meanwhile. The task is redelivered at once, and again after the lease expired."""
    own_stack.running["s3"].signal(signal.SIGSTOP)
    id = own_stack.upload("celery", os.urandom(100_000)).json()["id"]
    own_stack.until(id, lambda file: file["status"] == "PROCESSING")
    for child in children(own_stack.running["worker"].pid):
        os.kill(child, signal.SIGKILL)
    own_stack.running["s3"].signal(signal.SIGCONT)

    assert own_stack.ended(id, 40)["status"] == "COMPLETE"


def test_a_file_waits_after_its_worker_is_killed_during_the_relay(own_stack: Stack) -> None:
    own_stack.running["s3"].signal(signal.SIGSTOP)
    id = own_stack.upload("celery", bytes(40_000_000)).json()["id"]
    own_stack.until(id, lambda file: file["status"] == "PROCESSING")
    own_stack.running.pop("worker").kill()
    own_stack.running["s3"].signal(signal.SIGCONT)

    assert own_stack.status(id)["status"] in ("PROCESSING", "PENDING")
    assert own_stack.spooled() == [id]
