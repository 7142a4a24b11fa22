"""Watching files on real processes: counters grow, responses are in time, and watchers do not block uploads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from dev import parts
from dev.polling import eventually
from tests.faults.proxy import Proxy
from tests.harness.raw_client import RawClient, get
from tests.harness.stack import Stack

SIZE = 50_000_000


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """A proxy that makes the storage slow: each request is delayed by `pace` seconds."""
    with Proxy(0) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("watch"), {"WEB_WORKERS": "1", "WEB_THREADS": "16"})
    proxy.upstream, stack.env["S3_ENDPOINT_URL"] = stack.ports.s3, proxy.url
    with stack:
        yield stack


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """For tests that need all slots of the only process, or stop it. Without a worker: celery uploads stay pending."""
    with Stack(tmp_path, {"WEB_WORKERS": "1", "WEB_THREADS": "8"}) as stack:
        stack.running.pop("worker").kill()
        yield stack


def events_of(url: str, **headers: str) -> Iterator[dict[str, Any]]:
    """The data of each event of a stream, with its id as `tag`, until the server ends it."""
    with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
        answer.raise_for_status()
        fields: dict[str, str] = {}
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                yield json.loads(fields["data"]) | {"tag": fields["id"]}
                fields = {}


def newest(stack: Stack, name: str) -> str:
    """Wait for the file of this name. Returns its id."""
    listing = lambda: requests.get(f"{stack.url}/files?limit=5", timeout=30).json()["files"]  # noqa: E731
    [id] = eventually(lambda: [file["id"] for file in listing() if file["name"] == name], seconds=20)
    return str(id)


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
def test_received_and_stored_bytes_grow_while_watched(stack: Stack, proxy: Proxy, mode: str) -> None:
    proxy.pace = 0.5
    with ThreadPoolExecutor(1) as thread:
        upload = thread.submit(stack.upload, mode, bytes(SIZE), f"{mode}.bin")
        seen = list(events_of(f"{stack.url}/files/{newest(stack, f'{mode}.bin')}/events"))
        assert upload.result(30).status_code in (201, 202)

    moving = [file["stored_bytes"] for file in seen if file["status"] == "PROCESSING"]
    assert len({stored for stored in moving if 0 < stored < SIZE}) >= 3
    assert moving == sorted(moving)
    assert all(file["stored_bytes"] <= file["received_bytes"] <= SIZE for file in seen)
    received = {file["received_bytes"] for file in seen}
    assert len(received) >= 3 if mode == "normal" else received == {SIZE}
    assert (seen[-1]["status"], seen[-1]["stored_bytes"]) == ("COMPLETE", SIZE)
    assert len({file["tag"] for file in seen}) == len(seen)
    order = ["PENDING", "PROCESSING", "COMPLETE"]
    assert [file["status"] for file in seen] == sorted((file["status"] for file in seen), key=order.index)


def test_a_wait_ends_within_half_a_second_of_the_change(stack: Stack, proxy: Proxy) -> None:
    proxy.pace = 0.7
    late = []
    for _ in range(3):
        id = stack.upload("async", b"x").json()["id"]
        file = stack.until(id, lambda file: file["status"] == "PROCESSING")
        file = requests.get(f"{stack.url}/files/{id}?wait=30", timeout=40).json()
        late.append(time.time() - datetime.fromisoformat(file["updated_at"]).timestamp())
        assert file["status"] == "COMPLETE"

    assert sorted(late)[1] < 0.5


def test_a_reconnect_with_the_last_event_id_gets_each_event_once(stack: Stack, proxy: Proxy) -> None:
    proxy.pace = 0.5
    url = f"{stack.url}/files/{stack.upload('async', bytes(SIZE)).json()['id']}/events"
    tags, last, status = [], "", ""
    while status != "COMPLETE":
        first = next(events_of(url, **{"Last-Event-ID": last}))
        last, status = first["tag"], first["status"]
        tags.append(last)
        time.sleep(0.3)  # It has left: that is seen at the next look.

    assert len(set(tags)) == len(tags) >= 4
    assert requests.get(url, headers={"Last-Event-ID": last}, timeout=30).status_code == 204


def test_a_reconnect_is_answered_at_once(own_stack: Stack) -> None:
    """The response does not wait for the first keepalive."""
    url = f"{own_stack.url}/files/{own_stack.upload('celery', b'x').json()['id']}"
    last = requests.get(url, timeout=30).headers["ETag"].strip('"')

    with requests.get(f"{url}/events", headers={"Last-Event-ID": last}, stream=True, timeout=5) as answer:
        assert (answer.status_code, next(answer.iter_lines(chunk_size=1))) == (200, b":")


def test_event_streams_never_block_uploads(own_stack: Stack) -> None:
    id = own_stack.upload("celery", b"x").json()["id"]
    with ExitStack() as open_, ThreadPoolExecutor(16) as threads:
        ask = lambda _: requests.get(f"{own_stack.url}/files/{id}/events", stream=True, timeout=20)  # noqa: E731
        answers = [open_.enter_context(answer) for answer in threads.map(ask, range(16))]
        waits = [threads.submit(requests.get, f"{own_stack.url}/files/{id}?wait=20", timeout=30) for _ in range(4)]
        began = time.monotonic()
        uploads = [own_stack.upload(mode, bytes(1_000_000)).status_code for mode in ("normal", "async") * 4]
        assert [wait.result(5).status_code for wait in waits] == [200] * 4

    assert (uploads, time.monotonic() - began < 5) == ([201, 202] * 4, True)
    assert sorted({answer.status_code for answer in answers}) == [200, 503]
    assert sum(answer.status_code == 200 for answer in answers) <= 2


def test_a_stop_does_not_wait_for_long_polls(own_stack: Stack) -> None:
    """SHUTDOWN_TIMEOUT is a minute here."""
    id = own_stack.upload("celery", b"x").json()["id"]
    with ThreadPoolExecutor(1) as thread:
        stream = thread.submit(lambda: list(events_of(f"{own_stack.url}/files/{id}/events")))
        time.sleep(1)
        began = time.monotonic()
        assert own_stack.stop("web") == 0
        seconds = time.monotonic() - began
        assert [file["status"] for file in stream.result(5)] == ["PENDING"]

        own_stack.start("web")
        wait = thread.submit(requests.get, f"{own_stack.url}/files/{id}?wait=60", timeout=70)
        time.sleep(1)
        assert own_stack.stop("web") == 0
        assert wait.result(5).json()["status"] == "PENDING"

    assert seconds < 6


@pytest.mark.parametrize("path", ["/files/{}/events", "/files/{}?wait=60"])
def test_a_disconnected_watcher_frees_its_slot_within_a_second(own_stack: Stack, path: str) -> None:
    id = own_stack.upload("celery", b"x").json()["id"]
    with RawClient(own_stack.ports.web) as client:
        client.send(get(path.format(id)))
        time.sleep(0.5)
        assert _status_of_a_stream(own_stack, id) == 503

    time.sleep(1)
    assert _status_of_a_stream(own_stack, id) == 200
    assert "Traceback" not in own_stack.log("web").read_text()


def _status_of_a_stream(stack: Stack, id: str) -> int:
    with requests.get(f"{stack.url}/files/{id}/events", stream=True, timeout=30) as answer:
        return answer.status_code


def test_the_pages_curl_lines_work_as_printed(stack: Stack, proxy: Proxy, tmp_path: Path) -> None:
    proxy.pace = 0.0
    section = (parts.ROOT / "docs" / "api.md").read_text().split("\n## Watch\n")[1].split("\n## ")[0]
    lines = re.findall(r"^curl .+$", section, re.MULTILINE)
    assert len(lines) >= 5

    env = os.environ | {"ID": stack.upload("async", b"x").json()["id"]}
    for line in lines:
        argv = line.replace("http://127.0.0.1:5000", stack.url) + " -sS -f"
        ran = subprocess.run(argv, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=70)
        assert (ran.returncode, ran.stderr) == (0, ""), line
        assert env["ID"] in ran.stdout
