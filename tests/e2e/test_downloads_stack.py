"""Downloads from all of Ferry as processes: connections end when they must, and nothing leaks."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import socket
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest
import requests

from api.streaming import SEND_TIMEOUT
from benchmarks.measure import peak_rss, reset_peak, rss
from dev import parts
from tests.api.test_downloads import FILE
from tests.stack import Stack, children, storage_of

MIB = 1 << 20
LARGE = os.urandom(MIB) * 48
"""More than all sockets on the way can hold."""


@pytest.fixture(scope="module")
def large(stack: Stack) -> str:
    return stored(stack, LARGE)


def stored(stack: Stack, body: bytes, name: str = "a.bin") -> str:
    file = stack.upload("normal", body, name).json()
    assert file["status"] == "COMPLETE"
    return file["id"]  # type: ignore[no-any-return]


def begun(stack: Stack, path: str) -> Any:
    """An answer of which the head is read, and its connection."""
    connection = HTTPConnection("127.0.0.1", stack.ports.web, timeout=SEND_TIMEOUT + 30)
    connection.request("GET", path)
    return connection, connection.getresponse()


def test_a_large_file_is_downloaded_whole_and_in_ranges(stack: Stack, large: str) -> None:
    url = f"{stack.url}/files/{large}/content"
    whole = requests.get(url, timeout=30)
    end = requests.get(url, headers={"Range": "bytes=-70000", "If-Range": whole.headers["ETag"]}, timeout=30)
    first = requests.get(url, headers={"Range": "bytes=0-0"}, timeout=30)

    assert (whole.status_code, whole.content == LARGE) == (200, True)
    assert (first.status_code, first.content) == (206, LARGE[:1])
    assert first.headers["Content-Range"] == f"bytes 0-0/{len(LARGE)}"
    assert (end.status_code, end.content == LARGE[-70_000:]) == (206, True)
    assert end.headers["Content-Range"] == f"bytes {len(LARGE) - 70_000}-{len(LARGE) - 1}/{len(LARGE)}"
    for answer in (whole, end):
        assert FILE.items() <= dict(answer.headers).items()


def test_curl_resumes_an_interrupted_download(stack: Stack, large: str, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(LARGE[:1_234_567])
    argv = ["curl", "-sSf", "-C", "-", "-o", str(tmp_path / "part"), f"{stack.url}/files/{large}/content"]
    subprocess.run(argv, check=True, timeout=30)

    assert (tmp_path / "part").read_bytes() == LARGE


def test_responses_without_a_body_keep_the_connection_usable(stack: Stack) -> None:
    """HEAD, 304, 416, 302 and an empty file, one after the other on one connection."""
    id, empty = stored(stack, b"x" * 100), stored(stack, b"")
    etag = f'"{hashlib.sha256(b"x" * 100).hexdigest()}"'
    asked = [
        ("HEAD", f"/files/{id}/content", {}, 200),
        ("GET", f"/files/{id}/content", {"If-None-Match": etag}, 304),
        ("GET", f"/files/{id}/content", {"Range": "bytes=100-"}, 416),
        ("GET", f"/files/{id}/content?redirect=1", {}, 302),
        ("HEAD", f"/files/{id}/content?redirect=1", {}, 200),
        ("GET", f"/files/{empty}/content", {}, 200),
        ("HEAD", f"/files.zip?ids={id}", {}, 200),
        ("GET", f"/files/{id}/content", {}, 200),
    ]
    with closing(HTTPConnection("127.0.0.1", stack.ports.web, timeout=10)) as connection:
        for method, path, headers, status in asked:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            assert answer.status == status
            body = answer.read()
        assert body == b"x" * 100


def test_curl_downloads_from_a_link_with_safe_headers(stack: Stack) -> None:
    """Without an API key, and after a restart of rclone, which forgets the headers of an object."""
    page = b"<!DOCTYPE html><script>alert(1)</script>"
    id = stored(stack, page, "my page.html")
    stack.stop("s3")
    stack.start("s3")
    link = requests.get(f"{stack.url}/files/{id}/link?expires=60", timeout=30).json()
    for argv in (["curl", "-sSfi", link["url"]], ["curl", "-sSfiL", f"{stack.url}/files/{id}/content?redirect=1"]):
        ran = subprocess.run(argv, capture_output=True, timeout=10, check=True)
        head, _, body = ran.stdout.rpartition(b"\r\n\r\n")

        assert body == page
        assert b"\r\nContent-Type: application/octet-stream" in head
        assert (
            b"\r\nContent-Disposition: attachment; filename=\"my_page.html\"; filename*=UTF-8''my%20page.html" in head
        )


def test_an_archive_over_http_is_as_long_as_announced(stack: Stack, large: str) -> None:
    small = stored(stack, b"small", "ä.txt")
    answer = requests.get(f"{stack.url}/files.zip?ids={large},{small}", timeout=30)

    assert answer.headers["Content-Length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert (archive.read("a.bin") == LARGE, archive.read("ä.txt")) == (True, b"small")


def fds_and_threads(stack: Stack) -> list[tuple[int, int]]:
    """Of each web process: open files and sockets, threads."""
    workers = [Path("/proc") / str(pid) for pid in children(stack.running["web"].pid)]
    return [(len(list((worker / "fd").iterdir())), len(list((worker / "task").iterdir()))) for worker in workers]


@pytest.mark.parametrize("path", ["/files/{}/content", "/files.zip?ids={}"])
def test_a_hundred_disconnected_clients_leave_no_connection(stack: Stack, large: str, path: str) -> None:
    def leave(number: int) -> None:
        connection, answer = begun(stack, path.format(large))
        with closing(connection):
            answer.read(1 + number * 10_000)
            connection.sock.shutdown(socket.SHUT_RDWR)

    def settled() -> list[tuple[int, int]]:
        deadline, seen = time.monotonic() + 20, []
        while time.monotonic() < deadline and (seen := held(stack)):
            time.sleep(0.05)
        assert seen == []
        return fds_and_threads(stack)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(leave, range(32)))
    before = settled()
    for number in range(100):
        leave(number)
    after = settled()

    assert [fds for fds, _ in after] <= [fds + 2 for fds, _ in before]
    assert max(threads for _, threads in after) <= max(threads for _, threads in before) + 1
    assert requests.get(f"{stack.url}/files/{large}/content", timeout=30).content == LARGE


def held(stack: Stack) -> list[str]:
    """The open slot files of the web processes: one per running download."""
    fds = [fd for pid in children(stack.running["web"].pid) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    return [name for fd in fds if (name := link_of(fd)).endswith("/slots")]


def link_of(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("path", ["/files/{}/content", "/files.zip?ids={}"])
def test_a_storage_killed_during_a_download_cuts_the_connection(own_stack: Stack, path: str) -> None:
    """The client sees that it has not all; the next one hears a problem, and the bytes once the storage is back.

    The operator has a line for each.
    """
    id = stored(own_stack, LARGE)
    connection, answer = begun(own_stack, path.format(id))
    request_id = answer.headers["X-Request-ID"]
    with closing(connection):
        answer.read(100_000)
        own_stack.running.pop("s3").kill()
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            answer.read()

    failed = requests.get(own_stack.url + path.format(id), timeout=30)
    assert (failed.status_code, failed.json()["type"]) == (503, "/problems/storage-unavailable")
    log = own_stack.log("web").read_text()
    [line] = [line for line in log.splitlines() if "download.interrupted" in line and request_id in line]
    assert (" warning " in line, id in line, "Traceback" in log) == (True, True, False)
    own_stack.start("s3")
    assert requests.get(f"{own_stack.url}/files/{id}/content", timeout=30).content == LARGE


def test_a_removed_object_is_a_problem(stack: Stack) -> None:
    id = stored(stack, b"gone")
    with closing(storage_of(stack)) as storage:
        [key] = [key for key in stack.objects() if key.startswith(id)]
        storage.delete(key)

    for path in ("/files/{}/link", "/files/{}/content?redirect=1", "/files/{}/content", "/files.zip?ids={}"):
        answer = requests.get(stack.url + path.format(id), timeout=30, allow_redirects=False)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/object-missing")


def test_one_client_does_not_take_all_threads(tmp_path: Path) -> None:
    """Three of four threads serve a client that reads nothing; the fourth stays free, and refuses it."""
    with Stack(tmp_path, {"WEB_THREADS": "4", "WEB_WORKERS": "1", "MAX_TRANSFERS_PER_CLIENT": ""}) as stack:
        id = stored(stack, LARGE)
        slow = [begun(stack, f"/files/{id}/content") for _ in range(3)]

        answer = requests.get(f"{stack.url}/files/{id}/content", timeout=30)
        assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-downloads")
        assert stack.upload("normal", b"x").status_code == 429
        assert stack.status(id)["status"] == "COMPLETE"
        for connection, _ in slow:
            connection.close()


def test_the_curl_lines_about_fetching_work_as_printed(stack: Stack) -> None:
    section = (parts.ROOT / "docs/api.md").read_text().split("\n## Fetch\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("curl ")]
    id = stored(stack, (parts.ROOT / "README.md").read_bytes(), "README.md")

    assert len(lines) == 8
    for line in lines:
        ran = subprocess.run(
            line.replace("http://127.0.0.1:5000", stack.url) + " -sS -f",
            shell=True, cwd=parts.ROOT, env=os.environ | {"ID": id}, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, ""), line
        assert ran.stdout


@pytest.mark.long
def test_a_client_that_stops_reading_is_disconnected(stack: Stack, large: str) -> None:
    connection, answer = begun(stack, f"/files/{large}/content")
    with closing(connection):
        deadline = time.monotonic() + SEND_TIMEOUT + 20
        while held(stack) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert held(stack) == []
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            answer.read()


@pytest.mark.long
def test_two_gibibytes_take_no_memory(tmp_path: Path) -> None:
    """In at most twice the time of sequential downloads from the storage itself."""
    size = 2048 * MIB
    with Stack(tmp_path, {"WEB_WORKERS": "1"}) as stack:
        block = os.urandom(MIB)
        sent = requests.post(
            f"{stack.url}/normal_upload?name=2g.bin",
            data=(block for _ in range(2048)),
            headers={"Content-Type": "application/octet-stream"},
            timeout=120,
        ).json()
        small = stored(stack, b"x" * 100_000)
        for _ in range(20):
            requests.get(f"{stack.url}/files/{small}/content", timeout=30)
        [web] = children(stack.running["web"].pid)
        before = rss(web)
        reset_peak(web)
        direct = requests.get(f"{stack.url}/files/{sent['id']}/link", timeout=30).json()["url"]
        speeds = [(speed(f"{stack.url}/files/{sent['id']}/content", size), speed(direct, size)) for _ in range(3)]
        archive = speed(f"{stack.url}/files.zip?ids={sent['id']}", size)

        grown = (peak_rss(web) - before) / MIB
        figures = f"MB/s (service, storage): {speeds}, archive {archive}; +{grown:.1f} MiB"
        logging.getLogger("measured").info(figures)
        assert grown < 32, figures
        assert sum(service for service, _ in speeds) > sum(storage for _, storage in speeds) / 2, figures


def speed(url: str, size: int) -> int:
    """MB/s of curl."""
    argv = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url]
    ran = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=120)
    got, seconds = ran.stdout.split()
    assert int(got) >= size
    return round(int(got) / float(seconds) / 1e6)
