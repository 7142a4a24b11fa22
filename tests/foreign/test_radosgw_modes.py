"""Uploads in each mode and size to radosgw are downloaded unchanged."""

from __future__ import annotations

import hashlib
import random

import pytest
import requests

from storage.parts import DEFAULT_PART, MIB, MIN_PART
from tests.faults.client import MODES
from tests.faults.cluster import Cluster
from tests.faults.inspection import ends_as

pytestmark = pytest.mark.foreign

SIZES = [
    0,
    1,
    4096,
    MIN_PART - 1,
    MIN_PART,
    MIN_PART + 1,
    DEFAULT_PART - 1,
    DEFAULT_PART,
    DEFAULT_PART + 1,
    100 * 10**6,
]
EDGE = MIN_PART - 5
RANGES = {
    "bytes=0-0": (0, 1),
    "bytes=1-1": (1, 2),
    "bytes=0-99": (0, 100),
    "bytes=-10": (-10, None),
    f"bytes={EDGE}-{EDGE + 9}": (EDGE, EDGE + 10),
    f"bytes={EDGE}-": (EDGE, None),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_downloaded_unchanged(cluster: Cluster, mode: str, size: int) -> None:
    body = random.Random(size).randbytes(size)
    upload = cluster.client.upload(mode, body)
    row = ends_as(cluster, upload, "COMPLETE", 60)

    answer = requests.get(f"{cluster.client.url}/files/{upload.id}/content", timeout=60)
    assert (row.attempt, row.size, row.sha256) == (1, size, upload.sha256)
    assert hashlib.sha256(answer.content).hexdigest() == upload.sha256


@pytest.mark.parametrize("asked", RANGES)
def test_a_range_is_downloaded(cluster: Cluster, asked: str) -> None:
    body = random.Random(1).randbytes(MIN_PART + MIB)
    upload = cluster.client.upload("normal", body)
    answer = requests.get(f"{cluster.client.url}/files/{upload.id}/content", headers={"Range": asked}, timeout=60)

    start, end = RANGES[asked]
    assert (answer.status_code, answer.content) == (206, body[start:end])


def test_a_deleted_file_leaves_nothing(cluster: Cluster) -> None:
    upload = cluster.client.upload("normal", bytes(MIN_PART + MIB))
    assert requests.delete(f"{cluster.client.url}/files/{upload.id}", timeout=30).status_code == 204
    cluster.client.uploads.clear()
