"""Downloads use bounded memory, threads and connections, and release them."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import IncompleteRead
from operator import not_
from pathlib import Path

import pytest
import requests

from api.streaming import SEND_TIMEOUT
from benchmarks.measure import peak_rss, reset_peak, rss
from dev.polling import eventually
from tests.e2e.downloads import LARGE, MIB, open_slots, start_download, stored
from tests.harness.sessions import children
from tests.harness.stack import Stack


def fds_and_threads(stack: Stack) -> list[tuple[int, int]]:
    """The number of open file descriptors and of threads of each web process."""
    workers = [Path("/proc") / str(pid) for pid in children(stack.running["web"].pid)]
    return [(len(list((worker / "fd").iterdir())), len(list((worker / "task").iterdir()))) for worker in workers]


@pytest.mark.parametrize("path", ["/files/{}/content", "/files.zip?ids={}"])
def test_a_hundred_disconnected_clients_leave_no_connection(stack: Stack, large: str, path: str) -> None:
    def leave(number: int) -> None:
        connection, answer = start_download(stack, path.format(large))
        with closing(connection):
            answer.read(1 + number * 10_000)
            connection.sock.shutdown(socket.SHUT_RDWR)

    def settled() -> list[tuple[int, int]]:
        assert eventually(lambda: open_slots(stack), not_, seconds=20) == []
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


def test_one_client_does_not_take_all_threads(tmp_path: Path) -> None:
    """Three of four threads serve a client that reads nothing; the fourth stays free, and refuses it."""
    with Stack(tmp_path, {"WEB_THREADS": "4", "WEB_WORKERS": "1", "MAX_TRANSFERS_PER_CLIENT": ""}) as stack:
        id = stored(stack, LARGE)
        slow = [start_download(stack, f"/files/{id}/content") for _ in range(3)]

        answer = requests.get(f"{stack.url}/files/{id}/content", timeout=30)
        assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-downloads")
        assert stack.upload("normal", b"x").status_code == 429
        assert stack.status(id)["status"] == "COMPLETE"
        for connection, _ in slow:
            connection.close()


@pytest.mark.long
def test_a_client_that_stops_reading_is_disconnected(stack: Stack, large: str) -> None:
    connection, answer = start_download(stack, f"/files/{large}/content")
    with closing(connection):
        assert eventually(lambda: open_slots(stack), not_, seconds=SEND_TIMEOUT + 20, every=0.5) == []
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            answer.read()


@pytest.mark.long
def test_a_download_of_two_gibibytes_takes_constant_memory(tmp_path: Path) -> None:
    """They take at most twice the time of direct downloads from the storage."""
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
    """MB/s of a download by curl."""
    argv = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url]
    ran = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=120)
    got, seconds = ran.stdout.split()
    assert int(got) >= size
    return round(int(got) / float(seconds) / 1e6)
