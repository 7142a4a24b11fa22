"""What is in hand when a part of Ferry is stopped, breaks or dies."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from dev import parts
from dev.process import Process, free_port
from tests.fakes import eventually
from tests.stack import MODES, Stack, children, printed


class TestStop:
    """SIGTERM to the web process while a storage that stands still keeps it busy."""

    @pytest.fixture
    def own_stack(self, tmp_path: Path) -> Iterator[Stack]:
        with Stack(tmp_path, {"SHUTDOWN_TIMEOUT": "6", "LEASE_DURATION": "60", "WEB_WORKERS": "1"}) as stack:
            yield stack

    def busy(self, stack: Stack) -> list[str]:
        stack.running["s3"].signal(signal.SIGSTOP)
        ids = [stack.upload("async", bytes(100_000)).json()["id"] for _ in range(3)]
        for id in ids:
            stack.until(id, lambda file: file["status"] == "PROCESSING")
        stack.running["web"].signal(signal.SIGTERM)
        return ids

    def test_what_is_in_hand_is_finished(self, own_stack: Stack) -> None:
        ids = self.busy(own_stack)
        time.sleep(1)
        own_stack.running["s3"].signal(signal.SIGCONT)

        assert own_stack.stop("web") == 0
        own_stack.start("web")
        assert {own_stack.status(id)["status"] for id in ids} == {"COMPLETE"}

    def test_what_cannot_be_finished_is_handed_back(self, own_stack: Stack) -> None:
        ids = self.busy(own_stack)
        began = time.monotonic()
        own_stack.stop("web")

        assert time.monotonic() - began < 10
        own_stack.running["s3"].signal(signal.SIGCONT)
        own_stack.start("web")
        files = [own_stack.status(id) for id in ids]
        assert {(file["status"], file["error"]) for file in files} == {("PENDING", "server-stopped")}
        assert sorted(own_stack.spooled()) == sorted(ids)


def test_a_stop_waits_for_no_slow_client(tmp_path: Path) -> None:
    """One has sent half a head, one would send on after its answer. Either has 15 seconds while Ferry serves."""
    refused = b"POST /normal_upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n"
    with Stack(tmp_path, {"SHUTDOWN_TIMEOUT": "30"}) as stack, ExitStack() as clients:
        for sent in (b"GET / HTTP/1.1\r\n", refused):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", stack.ports.web)))
            client.sendall(sent)
        assert b" 400 " in client.recv(999)
        began = time.monotonic()

        assert stack.stop("web") == 0
        assert time.monotonic() - began < 10


def test_a_stop_reaches_a_process_that_has_just_been_forked(tmp_path: Path) -> None:
    """It has the handlers of its master for some milliseconds. Stopped in them, it must not serve on."""
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
    service = Process("web", argv, env, tmp_path / "log")
    try:
        assert eventually(lambda: printed(service).count("Booting worker") == 2)
        assert (tmp_path / "first").read_text() not in map(str, children(service.pid))
    finally:
        service.kill()


def test_a_storage_that_stops_loses_nothing_and_fakes_nothing(own_stack: Stack) -> None:
    own_stack.stop("s3")
    answers = {mode: own_stack.upload(mode, b"x" * 100_000) for mode in MODES}

    normal = answers["normal"].json()
    assert (answers["normal"].status_code, normal["type"]) == (503, "/problems/storage-unavailable")
    assert answers["normal"].headers["Content-Type"] == "application/problem+json"
    ended = requests.get(f"{own_stack.url}/files?status=ERROR", timeout=10).json()["files"]
    assert [(file["mode"], file["error"]) for file in ended] == [("normal", "storage-unavailable")]
    for mode in ("async", "celery"):
        id = answers[mode].json()["id"]
        file = own_stack.until(id, lambda file: file["error"] is not None)
        assert (file["status"], file["error"], file["url"]) == ("PENDING", "storage-unavailable", None)
        assert id in own_stack.spooled()
    assert own_stack.objects() == {}


def test_a_redis_that_stops_delays_no_answer(own_stack: Stack) -> None:
    own_stack.stop("redis")
    began = time.monotonic()
    answer = own_stack.upload("celery", b"x")

    assert answer.status_code == 202
    assert time.monotonic() - began < 3
    assert own_stack.status(answer.json()["id"])["status"] == "PENDING"
    assert own_stack.spooled() == [answer.json()["id"]]


def test_a_file_larger_than_all_of_redis_goes_through_it(own_stack: Stack) -> None:
    """600 MB: Redis may have 512, and of that one file no more than its window."""
    answer = requests.post(
        f"{own_stack.url}/celery_upload?name=large.bin",
        data=(bytes(1_000_000) for _ in range(600)),
        headers={"Content-Type": "application/octet-stream"},
        timeout=60,
    )
    file = own_stack.ended(answer.json()["id"], 60)

    assert (answer.status_code, file["status"], file["size"]) == (202, "COMPLETE", 600_000_000)
    assert own_stack.spooled() == []


def test_a_worker_child_that_is_killed_loses_nothing(own_stack: Stack) -> None:
    """The storage stands still while the child works. Its task comes back at once, and again after the dead's lease."""
    own_stack.running["s3"].signal(signal.SIGSTOP)
    id = own_stack.upload("celery", os.urandom(100_000)).json()["id"]
    own_stack.until(id, lambda file: file["status"] == "PROCESSING")
    for child in children(own_stack.running["worker"].pid):
        os.kill(child, signal.SIGKILL)
    own_stack.running["s3"].signal(signal.SIGCONT)

    assert own_stack.ended(id, 40)["status"] == "COMPLETE"


def test_a_worker_that_dies_while_it_is_fed_lets_the_file_wait(own_stack: Stack) -> None:
    own_stack.running["s3"].signal(signal.SIGSTOP)
    id = own_stack.upload("celery", bytes(40_000_000)).json()["id"]
    own_stack.until(id, lambda file: file["status"] == "PROCESSING")
    own_stack.running.pop("worker").kill()
    own_stack.running["s3"].signal(signal.SIGCONT)

    assert own_stack.status(id)["status"] in ("PROCESSING", "PENDING")
    assert own_stack.spooled() == [id]
