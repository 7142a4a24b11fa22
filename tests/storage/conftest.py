"""Fixtures of the storage's tests: a certificate, raw servers, short pauses and time-outs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from storage.s3 import connection, retries
from storage.s3.http import HttpClient
from tests.storage.raw_server import RawServer, Serve
from tests.storage.tampered_s3 import close_all


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ferry-test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "server.pem").write_bytes(plain + made.public_bytes(pem))
    return tmp_path / "server.pem"


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close the S3 storages of a test."""
    yield
    close_all()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after a few milliseconds."""
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retries, "_MAX_PAUSE", 0.01)


@pytest.fixture
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time out after 2 seconds without progress."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 2)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with these answers, each with a client."""
    made: list[RawServer | HttpClient] = []

    def start(*answers: bytes | None) -> tuple[RawServer, HttpClient]:
        server = RawServer(*answers)
        client = HttpClient("http", f"127.0.0.1:{server.port}")
        made.extend((client, server))
        return server, client

    yield start
    for each in made:
        each.close()
