"""Slow clients over TLS, where a thread has to read the head."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from dev import parts
from dev.process import free_port
from tests.bad_input.conftest import LIMIT, RAW, STALL, settings
from tests.bad_input.slow import CUT, LATE
from tests.harness.raw_client import RawClient, chunked, get, post

pytestmark = pytest.mark.long

TO = "/async_upload?name=a"


@dataclass
class Secure:
    """A Ferry with a certificate and two threads."""

    port: int
    certificate: Path

    def connect(self) -> RawClient:
        """A connection after its handshake."""
        wire = RawClient(self.port)
        tls = ssl.create_default_context(cafile=self.certificate)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 has the server send tickets, which look like an answer.
        wire.use(tls)
        return wire


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, valkey: str) -> Iterator[Secure]:
    data, port = tmp_path_factory.mktemp("tls"), free_port()
    shutil.copy(empty_database, data / "ferry.db")
    certificate, key = data / "cert.pem", data / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    env = settings(threads=2) | {
        "FERRY_DATA": str(data),
        "PORT": str(port),
        "STORAGE": "memory",
        "CELERY_BROKER_URL": valkey,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{data}/ferry.db",
    }
    with parts.web(env, data / "web.log", options=["--certfile", str(certificate), "--keyfile", str(key)]) as web:
        web.wait_for(port)
        yield Secure(port, certificate)


@pytest.fixture
def free(secure: Secure) -> Iterator[Secure]:
    """A Ferry that serves the next client after the test."""
    yield secure
    url = f"https://127.0.0.1:{secure.port}{TO}"
    for _ in range(3):
        answer = requests.post(url, b"good", headers={"Content-Type": "a/b"}, verify=str(secure.certificate), timeout=5)
        assert (answer.status_code, "server" in answer.headers) == (202, False)


@pytest.mark.parametrize(
    "request_",
    [
        post(TO, b"half", RAW, length=8),
        post(TO, chunked(b"x", end=b"8\r\nhalf"), RAW, "Transfer-Encoding: chunked", length=None),
    ],
    ids=["raw", "chunked"],
)
def test_a_stalled_body_is_cut_over_tls(free: Secure, request_: bytes) -> None:
    with free.connect() as wire:
        began = time.monotonic()
        wire.send(request_)

        assert wire.reply().outcome == CUT
        assert STALL <= time.monotonic() - began < STALL + LATE


def test_a_trickling_body_is_cut_over_tls(free: Secure) -> None:
    with free.connect() as wire:
        began = time.monotonic()
        wire.send(post(TO, b"", RAW, length=9999))
        wire.trickle(b"x" * 9999, STALL / 20)

        assert wire.reply().outcome == CUT
        assert 2 * STALL <= time.monotonic() - began < 2 * STALL + LATE


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["nothing", "half"])
def test_a_stalled_handshake_is_cut(free: Secure, sent: bytes) -> None:
    with RawClient(free.port) as wire:
        wire.send(sent)

        assert wire.ended()


def test_a_trickling_head_is_cut_over_tls(free: Secure) -> None:
    with free.connect() as wire:
        began = time.monotonic()
        with suppress(ConnectionError, ssl.SSLError):
            wire.trickle(get("/") * 2, STALL / 5)
            assert wire.ended()
        assert STALL / 2 < time.monotonic() - began < STALL + LATE


def test_an_early_response_is_received_over_tls(free: Secure) -> None:
    url = f"https://127.0.0.1:{free.port}{TO}"
    headers = {"Content-Type": "a/b"}
    answer = requests.post(url, bytes(30 * LIMIT), headers=headers, verify=str(free.certificate), timeout=10)

    assert (answer.status_code, answer.json()["max_bytes"]) == (413, LIMIT)


def test_plain_http_is_disconnected_by_tls(free: Secure) -> None:
    with RawClient(free.port) as wire:
        wire.send(get("/"))
        with suppress(ConnectionResetError):
            assert wire.ended()
