"""IPv6 addresses of the service, its clients and its storage."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import parts
from dev.polling import eventually
from dev.process import Process, free_port
from storage.s3.storage import S3Storage
from tests.fakes import FORM, form, part
from tests.harness.raw_client import RawClient, post

SLOW = post("/normal_upload?name=a.bin", b"", "Content-Type: image/png", "Expect: 100-continue", length=99)


@pytest.fixture
def web(request: pytest.FixtureRequest, settings: dict[str, str], tmp_path: Path) -> Iterator[int]:
    """The port of a service that listens on the HOST of the test's parameter."""
    port, host = free_port(), request.param
    env = settings | {"PORT": str(port), "HOST": host, "WEB_WORKERS": "1", "MAX_TRANSFERS_PER_CLIENT": "1"}
    with parts.web(env, tmp_path / "web.log") as process:
        process.wait_for(port, host=host)
        yield port


def upload(port: int, host: str, source: str | None = None) -> int:
    """The status of an upload sent from the address `source`."""
    client = http.client.HTTPConnection(host, port, timeout=10, source_address=(source, 0) if source else None)
    client.request("POST", "/normal_upload", form(part("file", b"x", "a.txt")), {"Content-Type": FORM})
    status = client.getresponse().status
    client.close()
    return status


@pytest.mark.parametrize("web", ["::1"], indirect=True)
def test_loopback_is_local_in_ipv6_too(web: int, tmp_path: Path) -> None:
    """Without a key, and with its own address as Host."""
    assert upload(web, "::1") == 201
    assert eventually(lambda: '"address": "::1"' in (tmp_path / "web.log").read_text())


@pytest.mark.parametrize("web", ["::ffff:127.0.0.1"], indirect=True)
def test_an_ipv4_client_of_an_ipv6_socket_has_its_own_slots(web: int, tmp_path: Path) -> None:
    """As with HOST=::, but reachable from this machine only."""
    with RawClient(web, source="127.0.0.2") as slow:
        slow.send(SLOW)
        assert slow.reply().status == 100  # The client was asked for its body, so it holds the slot.
        assert upload(web, "127.0.0.1", "127.0.0.2") == 429
        assert upload(web, "127.0.0.1", "127.0.0.3") == 201
    assert eventually(lambda: '"address": "127.0.0.3"' in (tmp_path / "web.log").read_text())
    assert "::ffff:127.0.0.3" not in (tmp_path / "web.log").read_text()


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """A real S3 server that listens on ::1."""
    port = free_port()
    (tmp_path / parts.BUCKET).mkdir()
    argv = [str(parts.BIN / "rclone"), "--config", "", "serve", "s3", "--addr", f"[::1]:{port}", str(tmp_path)]
    env = {"RCLONE_AUTH_KEY": f'"{parts.ACCESS_KEY},{parts.SECRET_KEY}"'}
    with Process("s3", argv, env, tmp_path / "s3.log") as process:
        process.wait_for(port, host="::1")
        yield f"http://[::1]:{port}"


def test_the_storage_may_have_an_ipv6_address(endpoint: str) -> None:
    storage = S3Storage(
        bucket=parts.BUCKET,
        endpoint=endpoint,
        aws_access_key_id=parts.ACCESS_KEY,
        aws_secret_access_key=parts.SECRET_KEY,
    )
    try:
        assert [check for check in storage.diagnose() if not check.ok] == []
        assert storage.url("a.txt") == f"{endpoint}/{parts.BUCKET}/a.txt"
    finally:
        storage.close()
