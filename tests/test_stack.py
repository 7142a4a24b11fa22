"""The whole of Ferry as processes: what a user sees who has started it."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from dev import parts
from dev.process import Process, free_port
from storage.s3 import S3Storage
from tests.fakes import FORM, form, part
from tests.stack import Stack

MODES = {"normal": 201, "async": 202, "celery": 202}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """For a test that breaks it."""
    with Stack(tmp_path) as stack:
        yield stack


def storage_of(stack: Stack) -> S3Storage:
    return S3Storage(
        bucket=parts.BUCKET,
        endpoint=stack.env["S3_ENDPOINT_URL"],
        aws_access_key_id=parts.ACCESS_KEY,
        aws_secret_access_key=parts.SECRET_KEY,
    )


@pytest.mark.parametrize(("mode", "status"), MODES.items())
def test_a_file_comes_back_from_its_address_as_it_was_sent(stack: Stack, mode: str, status: int) -> None:
    body = os.urandom(10_000_000)

    answer = stack.upload(mode, body)
    file = stack.ended(answer.json()["id"])

    assert (answer.status_code, file["status"]) == (status, "COMPLETE")
    assert requests.get(file["url"], timeout=10).content == body
    assert stack.objects()[file["url"].rsplit("/", 1)[1]].read_bytes() == body


def test_curl_sees_what_the_readme_promises(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 " + os.urandom(3_000_000))
    for mode in MODES:
        argv = ["curl", "-sS", "-F", f"file=@{tmp_path}/a.pdf", f"{stack.url}/{mode}_upload"]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=30)

        assert ran.stderr == ""
        assert '"name":"a.pdf"' in ran.stdout
        assert '"content_type":"application/pdf"' in ran.stdout


@pytest.mark.parametrize("mode", MODES)
def test_a_page_that_is_called_a_picture_is_given_out_as_bytes_to_keep(stack: Stack, mode: str) -> None:
    """B27: the object's own headers say so, however it is fetched. Small, and in parts."""
    with closing(storage_of(stack)) as storage:
        for size in (10, 6_000_000):
            body = b"<!DOCTYPE html><script>alert(1)</script>" + bytes(size)
            file = stack.ended(stack.upload(mode, body, "x.jpg.php").json()["id"])
            key = file["url"].rsplit("/", 1)[1]
            given = storage._request("HEAD", key).headers

            assert (file["content_type"], file["detected_type"]) == ("application/pdf", "text/html")
            assert given["content-type"] == "application/octet-stream"
            assert given["content-disposition"] == 'attachment; filename="x.jpg.php"'
            assert b"".join(storage.open(key)) == body


def test_a_type_that_is_denied_is_refused_while_it_arrives_and_leaves_nothing(tmp_path: Path) -> None:
    """Of every length, as a form and as a raw body; the client hears it, and the next request is served."""
    page = b"<!DOCTYPE html><script>alert(1)</script>"
    with Stack(tmp_path, {"DENIED_TYPES": "text/html"}) as stack:
        for mode in MODES:
            for size in (0, 100_000, 3_000_000, 50_000_000):
                answers = [
                    stack.upload(mode, page + bytes(size), "a.png"),
                    requests.post(
                        f"{stack.url}/{mode}_upload?name=a.png",
                        data=page + bytes(size),
                        headers={"Content-Type": "image/png"},
                        timeout=10,
                    ),
                ]
                assert [answer.status_code for answer in answers] == [415, 415], (mode, size)
                assert {answer.json()["detected_type"] for answer in answers} == {"text/html"}

        assert stack.upload("normal", b"%PDF-1.7").status_code == 201
        assert [file["mode"] for file in requests.get(f"{stack.url}/files", timeout=10).json()["files"]] == ["normal"]
        assert (len(stack.objects()), stack.spooled()) == (1, [])


def test_two_hundred_uploads_at_once_all_arrive(stack: Stack) -> None:
    """Mixed sizes and modes, 16 at a time."""
    dice = random.Random(7)

    def upload(number: int) -> tuple[str, str]:
        mode = dice.choice(list(MODES))
        size = dice.choice([0, 1, 1000, 70_000, 1_000_000, 6_000_000] * 3 + [50_000_000])
        body = random.Random(number).randbytes(size)
        answer = stack.upload(mode, body, f"{number}.bin")
        assert answer.status_code == MODES[mode], answer.text
        return answer.json()["id"], hashlib.sha256(body).hexdigest()

    with ThreadPoolExecutor(16) as threads:
        sent = list(threads.map(upload, range(200)))
    files = [stack.ended(id, 60) for id, _ in sent]

    assert {file["status"] for file in files} == {"COMPLETE"}
    assert [file["sha256"] for file in files] == [digest for _, digest in sent]
    objects = stack.objects()
    for file in files:
        body = objects[file["url"].rsplit("/", 1)[1]].read_bytes()
        assert hashlib.sha256(body).hexdigest() == file["sha256"]
    assert stack.spooled() == []


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


def test_a_client_that_goes_away_leaves_an_error_and_no_object(stack: Stack) -> None:
    before = set(stack.objects())
    argv = ["curl", "-s", "-m", "1", "--limit-rate", "4M", "-F", "file=@/dev/zero;filename=gone.bin"]
    argv[-1:] = ["file=@-;filename=gone.bin", f"{stack.url}/normal_upload"]
    with subprocess.Popen(["head", "-c", "60000000", "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        assert subprocess.run(argv, stdin=zeros.stdout, capture_output=True, timeout=30).returncode == 28

    newest = requests.get(f"{stack.url}/files?limit=1", timeout=10).json()["files"][0]
    file = stack.ended(newest["id"])
    assert (file["name"], file["status"], file["error"]) == ("gone.bin", "ERROR", "client-disconnected")
    assert set(stack.objects()) == before


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


class TestStop:
    """SIGTERM to the web process while a storage that stands still keeps it busy."""

    @pytest.fixture
    def own_stack(self, tmp_path: Path) -> Iterator[Stack]:
        with Stack(tmp_path, {"STOP_SECONDS": "6", "LEASE_SECONDS": "60", "WEB_WORKERS": "1"}) as stack:
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
    with Stack(tmp_path, {"STOP_SECONDS": "30"}) as stack, ExitStack() as clients:
        for sent in (b"GET / HTTP/1.1\r\n", refused):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", stack.ports.web)))
            client.sendall(sent)
        assert b" 415 " in client.recv(999)
        began = time.monotonic()

        assert stack.stop("web") == 0
        assert time.monotonic() - began < 10


def test_a_thousand_clients_that_go_away_leave_nothing_behind(stack: Stack) -> None:
    """Every tenth only when a multipart upload has begun. Then comes one that stays."""
    before = set(stack.objects())
    small = form(part("file", bytes(100_000), "gone.bin"))
    large = form(part("file", bytes(12_000_000), "gone.bin"))

    def leave(number: int) -> None:
        body, sent = (large, 9_000_000) if number % 10 == 0 else (small, 50_000)
        head = f"POST /normal_upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}"
        with socket.create_connection(("127.0.0.1", stack.ports.web)) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body[:sent])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(leave, range(1000)))
    good = stack.upload("normal", os.urandom(20_000_000)).json()

    assert good["status"] == "COMPLETE"
    newest = requests.get(f"{stack.url}/files?limit=100", timeout=10).json()["files"]
    gone = [stack.ended(file["id"]) for file in newest if file["name"] == "gone.bin"]
    assert {(file["status"], file["error"]) for file in gone} == {("ERROR", "client-disconnected")}
    assert requests.get(f"{stack.url}/files?status=PROCESSING", timeout=10).json()["files"] == []
    assert set(stack.objects()) - before == {good["url"].rsplit("/", 1)[1]}
    with closing(storage_of(stack)) as storage:
        assert "Uploads" not in storage._s3.list_multipart_uploads(Bucket=parts.BUCKET)


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_a_gigabyte_arrives_as_it_was_sent(own_stack: Stack, mode: str, tmp_path: Path) -> None:
    with (tmp_path / "giga.bin").open("wb") as file:
        for number in range(1024):
            file.write(random.Random(number).randbytes(1 << 20))
    argv = ["curl", "-sS", "-F", f"file=@{tmp_path}/giga.bin", f"{own_stack.url}/{mode}_upload"]
    id = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout)["id"]
    ended = own_stack.ended(id, 120)

    assert (ended["status"], ended["size"]) == ("COMPLETE", 1 << 30)
    [stored] = own_stack.objects().values()
    assert filecmp.cmp(stored, tmp_path / "giga.bin", shallow=False)
    assert own_stack.spooled() == []


def test_requests_are_logged_without_their_query(stack: Stack) -> None:
    requests.get(f"{stack.url}/files?limit=7", timeout=10)

    deadline = time.monotonic() + 5
    while '"GET /files" 200' not in stack.log("web").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert '"GET /files" 200' in stack.log("web").read_text()
    assert "limit=7" not in stack.log("web").read_text()


class TestRun:
    """`make run`, as a process."""

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        return tmp_path / "var"

    def run(self, data: Path, port: int) -> Process:
        env = {"FERRY_DATA": str(data), "PORT": str(port)}
        log = data.parent / f"run-{time.monotonic_ns()}.log"
        os.chdir(parts.ROOT)
        process = Process("run", [sys.executable, "-m", "dev.run"], env, log)
        process.wait_for(port)
        return process

    def test_it_prints_lines_that_work_and_finds_yesterdays_files(self, data: Path) -> None:
        port = free_port(4)
        first = self.run(data, port)
        try:
            deadline = time.monotonic() + 10
            while not (lines := re.findall(r"curl -F \S+ \S+", printed(first))) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(lines) == 3
            for line in lines:
                line = line.replace("README.md", "pyproject.toml")
                ran = subprocess.run(line, shell=True, cwd=parts.ROOT, capture_output=True, text=True, timeout=30)
                assert '"id"' in ran.stdout
        finally:
            first.signal(signal.SIGINT)
            assert first.stop(20) == 0
        assert children_of(data) == []

        second = self.run(data, port)
        try:
            files = requests.get(f"http://127.0.0.1:{port}/files", timeout=10).json()["files"]
            assert [file["name"] for file in files] == ["pyproject.toml"] * 3
            url = files[-1]["url"]
            assert requests.get(url, timeout=10).content == (parts.ROOT / "pyproject.toml").read_bytes()
        finally:
            second.kill()
        deadline = time.monotonic() + 10
        while children_of(data) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert children_of(data) == []

    def test_a_second_start_on_the_same_folder_is_told(self, data: Path) -> None:
        first = self.run(data, free_port(4))
        try:
            env = os.environ | {"FERRY_DATA": str(data), "PORT": str(free_port())}
            argv = [sys.executable, "-m", "dev.run"]
            ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)
        finally:
            first.stop(20)

        assert (ran.returncode, "already runs on" in ran.stderr) == (1, True)

    def test_a_taken_port_is_told(self, stack: Stack, data: Path) -> None:
        env = os.environ | {"FERRY_DATA": str(data), "PORT": str(stack.ports.web)}
        argv = [sys.executable, "-m", "dev.run"]
        ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)

        assert ran.returncode == 1
        assert f"Port {stack.ports.web} is taken" in ran.stderr
        assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("command", ["gunicorn", "celery"])
def test_a_nonsense_setting_stops_every_process_by_name(command: str) -> None:
    argv = {
        "gunicorn": [str(parts.BIN / "gunicorn"), "-c", "gunicorn.conf.py", "app:create_app()"],
        "celery": [str(parts.BIN / "celery"), "-A", "app.celery", "worker"],
    }[command]
    env = os.environ | {"MAX_FILE_SIZE": "ten"}
    ran = subprocess.run(argv, cwd=parts.ROOT, env=env, capture_output=True, text=True, timeout=30)

    assert ran.returncode != 0
    assert "MAX_FILE_SIZE=ten: must be a size in bytes" in ran.stdout + ran.stderr


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def printed(process: Process) -> str:
    assert process.log
    return process.log.read_text()


def children_of(data: Path) -> list[str]:
    """The processes that were started for this data folder and still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                f"SPOOL_DIR={data}/spool".encode() in status.read_bytes()
                or str(data).encode() in (status.parent / "cmdline").read_bytes()
            ):
                found.append(status.parent.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found
