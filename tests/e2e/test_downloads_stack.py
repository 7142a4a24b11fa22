"""Downloads from all processes of Ferry: whole, in ranges, as links and archives, and from a failed storage."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path

import pytest
import requests

from dev import parts
from tests.api.downloads import FILE_HEADERS
from tests.e2e.downloads import LARGE, start_download, stored
from tests.harness.stack import Stack, storage_of


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
        assert FILE_HEADERS.items() <= dict(answer.headers).items()


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


@pytest.mark.parametrize("path", ["/files/{}/content", "/files.zip?ids={}"])
def test_a_storage_killed_during_a_download_cuts_the_connection(own_stack: Stack, path: str) -> None:
    """The next request gets a problem, and the file once the storage runs again.

    Each interrupted download is logged with its request and file.
    """
    id = stored(own_stack, LARGE)
    connection, answer = start_download(own_stack, path.format(id))
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


def test_the_curl_lines_of_the_fetch_section_work_as_printed(stack: Stack) -> None:
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
