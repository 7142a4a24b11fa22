"""Uploads and downloads with all processes of Ferry."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import random
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import pytest
import redis
import requests

from config import Config
from dev import parts
from dev.polling import eventually
from tests.fakes import FORM, form, part
from tests.harness.raw_client import RawClient, post
from tests.harness.stack import MODES, Stack, storage_of


@pytest.mark.parametrize(("mode", "status"), MODES.items())
def test_a_file_is_downloaded_from_its_url_unchanged(stack: Stack, mode: str, status: int) -> None:
    body = os.urandom(10_000_000)

    answer = stack.upload(mode, body)
    file = stack.ended(answer.json()["id"])

    assert (answer.status_code, file["status"]) == (status, "COMPLETE")
    assert requests.get(file["url"], timeout=30).content == body
    assert stack.objects()[file["url"].rsplit("/", 1)[1]].read_bytes() == body


def test_the_curl_lines_of_the_readme_work(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 " + os.urandom(3_000_000))
    for mode in MODES:
        argv = ["curl", "-sS", "-F", f"file=@{tmp_path}/a.pdf", f"{stack.url}/{mode}_upload"]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=30)

        assert ran.stderr == ""
        assert '"name":"a.pdf"' in ran.stdout
        assert '"content_type":"application/pdf"' in ran.stdout


@pytest.mark.parametrize("mode", MODES)
def test_html_named_as_an_image_is_served_as_an_attachment(stack: Stack, mode: str) -> None:
    """The object's own headers, for any client, in one part and in several. The naive Flask app serves HTML here."""
    with closing(storage_of(stack)) as storage:
        for size in (10, 6_000_000):
            body = b"<!DOCTYPE html><script>alert(1)</script>" + bytes(size)
            file = stack.ended(stack.upload(mode, body, "x.jpg.php").json()["id"])
            key = file["url"].rsplit("/", 1)[1]
            given = storage._objects.request("HEAD", key).headers

            assert (file["content_type"], file["detected_type"]) == ("application/pdf", "text/html")
            assert given["content-type"] == "application/octet-stream"
            assert given["content-disposition"] == 'attachment; filename="x.jpg.php"'
            assert b"".join(storage.open(key)) == body


def test_a_denied_type_is_refused_early_and_leaves_nothing(tmp_path: Path) -> None:
    """Files of every length, as a form and as a raw body; the next request on the connection is served."""
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
                        timeout=30,
                    ),
                ]
                assert [answer.status_code for answer in answers] == [415, 415], (mode, size)
                assert {answer.json()["detected_type"] for answer in answers} == {"text/html"}

        assert stack.upload("normal", b"%PDF-1.7").status_code == 201
        assert [file["mode"] for file in requests.get(f"{stack.url}/files", timeout=30).json()["files"]] == ["normal"]
        assert (len(stack.objects()), stack.spooled()) == (1, [])


def test_two_hundred_concurrent_uploads_are_stored(stack: Stack) -> None:
    """Mixed sizes and modes, 16 at a time."""
    rng = random.Random(7)

    def upload(number: int) -> tuple[str, str]:
        mode = rng.choice(list(MODES))
        size = rng.choice([0, 1, 1000, 70_000, 1_000_000, 6_000_000] * 3 + [50_000_000])
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


def test_a_client_that_disconnects_leaves_an_error_and_no_object(stack: Stack) -> None:
    before = set(stack.objects())
    argv = ["curl", "-s", "-m", "1", "--limit-rate", "4M", "-F", "file=@/dev/zero;filename=gone.bin"]
    argv[-1:] = ["file=@-;filename=gone.bin", f"{stack.url}/normal_upload"]
    with subprocess.Popen(["head", "-c", "60000000", "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        assert subprocess.run(argv, stdin=zeros.stdout, capture_output=True, timeout=30).returncode == 28

    newest = requests.get(f"{stack.url}/files?limit=1", timeout=30).json()["files"][0]
    file = stack.ended(newest["id"])
    assert (file["name"], file["status"], file["error"]) == ("gone.bin", "ERROR", "client-disconnected")
    assert set(stack.objects()) == before


def test_a_thousand_disconnected_clients_leave_nothing(stack: Stack) -> None:
    """Every tenth disconnects during a multipart upload. The upload after that succeeds."""
    before = set(stack.objects())
    small = form(part("file", bytes(100_000), "gone.bin"))
    large = form(part("file", bytes(12_000_000), "gone.bin"))

    def leave(number: int) -> None:
        body, sent = (large, 9_000_000) if number % 10 == 0 else (small, 50_000)
        with RawClient(stack.ports.web) as client:
            client.send(post("/normal_upload", body[:sent], f"Content-Type: {FORM}", length=len(body)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(leave, range(1000)))
    good = stack.upload("normal", os.urandom(20_000_000)).json()

    assert good["status"] == "COMPLETE"
    newest = requests.get(f"{stack.url}/files?limit=100", timeout=30).json()["files"]
    gone = [stack.ended(file["id"]) for file in newest if file["name"] == "gone.bin"]
    assert {(file["status"], file["error"]) for file in gone} == {("ERROR", "client-disconnected")}
    assert requests.get(f"{stack.url}/files?status=PROCESSING", timeout=30).json()["files"] == []
    assert set(stack.objects()) - before == {good["url"].rsplit("/", 1)[1]}
    with closing(storage_of(stack)) as storage:
        assert "Uploads" not in storage._boto.list_multipart_uploads(Bucket=parts.BUCKET)


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_a_gigabyte_is_stored_unchanged(own_stack: Stack, mode: str, tmp_path: Path) -> None:
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
    requests.get(f"{stack.url}/files?limit=7", timeout=30)

    assert eventually(lambda: '"GET /files" 200' in stack.log("web").read_text())
    assert "limit=7" not in stack.log("web").read_text()


PLAIN = ("PING", "CLIENT", "HELLO", "SELECT", "INFO", "TIME", "MULTI", "EXEC", "UNWATCH", "SCRIPT", "AUTH", "MONITOR")


def foreign(command: str, prefix: str) -> str | None:
    """The first key of a command that is not below `prefix`."""
    words = command.split()
    name = words[0].upper()
    if name in PLAIN:
        return None
    if name == "EVAL":  # Behind the script, which is many words, stand the number of keys and the keys.
        found = re.search(r"\\n ([1-9]) ((?:\S+ ?)+)$", command)
        words = ["", "", *(found[1] + " " + found[2] if found else command).split()]
    keys = words[3 : 3 + int(words[2])] if name in ("EVAL", "EVALSHA") else words[1:2]
    return next((key for key in keys if not key.startswith(prefix)), None)


def test_tokens_are_distinguished_from_other_text() -> None:
    assert foreign("HELLO 3", "f:") is None
    assert foreign("LPUSH f:q x", "f:") is None
    assert foreign("EVALSHA 1a2b 2 f:a g:b 1", "f:") == "g:b"
    assert foreign("EVAL \\nlocal a = 1\\nreturn a\\n 2 f:a g:b f:c", "f:") == "g:b"
    assert foreign("EVAL \\nlocal a = 1\\nreturn a\\n 2 f:a f:b 1", "f:") is None
    assert foreign("LPUSH celery x", "f:") == "celery"


def test_ferry_touches_no_redis_key_but_its_own(stack: Stack) -> None:
    """Nor keys of another Celery app with default names in the same database, even overdue ones."""
    prefix = Config.from_env(stack.env).redis.key("")
    client = redis.Redis(port=stack.ports.redis, decode_responses=True)
    client.rpush("celery", "a task of another app")
    client.hset("unacked", "tag", '[{}, "", "celery"]')
    client.zadd("unacked_index", {"tag": 1})
    seen: list[str] = []
    with redis.Redis(port=stack.ports.redis).monitor() as monitor:
        commands = (each["command"] for each in iter(monitor.next_command, None))
        thread = threading.Thread(target=lambda: seen.extend(takewhile(lambda each: each != "ECHO end", commands)))
        thread.start()
        for size in (1000, 3_000_000):
            assert stack.ended(stack.upload("celery", os.urandom(size)).json()["id"])["status"] == "COMPLETE"
        client.echo("end")
        thread.join(10)

    assert [each for each in seen if foreign(each, prefix)] == []
    assert len({each.split()[1] for each in seen if prefix in each}) > 5
    foreign_keys = {key for key in client.keys("*") if not key.startswith(prefix)}
    assert foreign_keys == {"celery", "unacked", "unacked_index"}
    assert client.lrange("celery", 0, -1) == ["a task of another app"]
    assert client.zrange("unacked_index", 0, -1) == ["tag"]
