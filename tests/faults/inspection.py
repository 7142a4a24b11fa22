"""Helpers of fault tests: rows, objects, processes, and work in the background."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import requests
from sqlalchemy import NullPool, create_engine, text

from dev.polling import wait_until
from tests.faults.client import Upload
from tests.faults.cluster import Cluster
from tests.harness import sessions
from tests.harness.raw_client import post

T = TypeVar("T")

_threads = ThreadPoolExecutor(64, "fault-test")


def in_background(work: Callable[..., T], *args: Any, **options: Any) -> Future[T]:
    """Run `work` on a thread."""
    return _threads.submit(work, *args, **options)


def rows(cluster: Cluster) -> list[Any]:
    """All rows, newest first. Their attempts are not in the API."""
    engine = create_engine(cluster.env["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.execute(text("select * from files order by id desc")).all())


def row(cluster: Cluster, id: str | None = None) -> Any:
    """The row with this id, or the newest."""
    return next(row for row in rows(cluster) if id in (None, row.id))


def has_status(cluster: Cluster, upload: Upload, status: str) -> bool:
    return bool(row(cluster, upload.id).upload_status == status)


def ends_as(cluster: Cluster, upload: Upload, status: str, seconds: float = 60) -> Any:
    """Wait until a file has ended, and assert its status. Returns the row."""
    assert upload.id, f"answered {upload.status} {upload.slug}"
    wait_until(lambda: row(cluster, upload.id).upload_status in ("COMPLETE", "ERROR"), seconds, "the end of a file")
    found = row(cluster, upload.id)
    assert (found.upload_status, found.error is None) == (status, status == "COMPLETE"), found.error
    return found


def bodies_sent(cluster: Cluster) -> int:
    """The number of requests with which Ferry sent bytes to the storage."""
    return cluster.proxy.seen("put_object") + cluster.proxy.seen("upload_part")


def objects(cluster: Cluster, id: str) -> list[str]:
    """The keys of a file's objects."""
    s3 = cluster.s3()
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="ferry", Prefix=id).get("Contents", ())]
    s3.close()
    return keys


def problem(answer: requests.Response) -> tuple[int, str]:
    """Status and slug of a problem response."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


def services(cluster: Cluster) -> list[int]:
    """The pids of Ferry's own processes."""
    names = [name for name in ("web", *cluster.workers) if name in cluster.running]
    return [pid for name in names for pid in sessions.members(cluster.running[name].pid)]


def frozen(cluster: Cluster) -> list[int]:
    """The stopped ones among them."""
    return [pid for pid in services(cluster) if sessions.state(pid) == "T"]


def thaw(cluster: Cluster) -> None:
    """Continue all of Ferry's processes."""
    for pid in frozen(cluster):
        os.kill(pid, signal.SIGCONT)


def part_of_upload(mode: str, size: int, sent: int) -> bytes:
    """A request with a raw body of `size` bytes, of which `sent` are there."""
    headers = ("Content-Type: application/pdf", "Connection: close")
    return post(f"/{mode}_upload?name=half.bin", bytes(sent), *headers, length=size)
