"""Files of every boundary size are stored unchanged, in every mode and on every storage."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from flask.testing import FlaskClient

from dev import parts
from relay.channel import PIECE
from services import current_services
from storage.parts import DEFAULT_PART, MIB, MIN_PART
from storage.s3.storage import S3Storage
from tests.conftest import drain
from tests.fakes import FORM, form, part

WINDOW = 8 * MIB
INLINE = 256 << 10
STEPS = (-1, 0, 1)
SMALL_EDGES = [0, 1] + [
    edge + step for edge in (MIN_PART, 2 * MIN_PART, DEFAULT_PART, WINDOW, PIECE, INLINE) for step in STEPS
]
LARGE_EDGES = [64 * MIB + step for step in STEPS]


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return settings | {"MAX_FILE_SIZE": "100MiB", "LEASE_DURATION": "60"}


@pytest.fixture(params=["memory", "moto", "rclone"])
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each of the storages."""
    if request.param == "memory":
        return {}
    storage = S3Storage(
        bucket=parts.BUCKET,
        base_url="https://cdn.example.com",
        endpoint=request.getfixturevalue(request.param),
        aws_access_key_id=parts.ACCESS_KEY,
        aws_secret_access_key=parts.SECRET_KEY,
    )
    return {"storage": storage}


@pytest.mark.parametrize("mode", ["normal", "async", "celery"])
@pytest.mark.parametrize(
    "sizes", [SMALL_EDGES, pytest.param(LARGE_EDGES, marks=pytest.mark.long)], ids=["small", "large"]
)
def test_a_file_of_any_size_is_stored_unchanged(client: FlaskClient, mode: str, sizes: list[int]) -> None:
    for size in sizes:
        body = random.Random(size).randbytes(size)
        answer = client.post(f"/{mode}_upload", data=form(part("file", body, f"{size}.bin")), content_type=FORM)
        drain(client.application)
        file = client.get(answer.headers["Location"]).get_json()

        assert (file["status"], file["size"]) == ("COMPLETE", size)
        key = file["url"].rpartition("/")[2]
        found = hashlib.sha256()
        for chunk in current_services().storage.open(key):
            found.update(chunk)
        assert found.hexdigest() == file["sha256"] == hashlib.sha256(body).hexdigest()
        current_services().storage.delete(key)
    assert list(current_services().spool.files()) == []
