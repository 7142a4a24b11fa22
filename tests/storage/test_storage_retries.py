"""One retry policy for every call to the storage: its table, and boto3's obedience."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from storage.base import MultipartUpload, StorageDenied, StorageError, StorageUnavailable
from storage.s3 import client, connection
from storage.s3.checksums import UploadedPart
from storage.s3.http import HttpClient
from storage.s3.retries import ATTEMPTS, RETRY_DEADLINE, Failure, pause, should_retry
from storage.s3.storage import S3Storage
from tests.storage.raw_server import Line, RawServer, ask


@pytest.mark.parametrize(
    ("met", "again"),
    [
        *(({"status": status}, True) for status in (408, 429, 500, 502, 503, 504)),
        *(
            ({"status": status}, False)
            for status in (200, 204, 206, 301, 307, 400, 401, 403, 404, 411, 412, 413, 501, 507)
        ),
        *(
            ({"status": 400, "code": code}, True)
            for code in (
                "RequestTimeout",
                "BadDigest",
                "IncompleteBody",
                "XAmzContentChecksumMismatch",
                "Throttling",
                "ThrottlingException",
                "RequestLimitExceeded",
                "BandwidthLimitExceeded",
            )
        ),
        ({"status": 409, "code": "OperationAborted"}, True),
        *(
            ({"status": 400, "code": code}, False)
            for code in ("EntityTooLarge", "InvalidArgument", "ExpiredToken", "InvalidDigest", "")
        ),
        ({"status": 403, "code": "RequestTimeTooSkewed"}, False),
        ({"failure": Failure.UNREACHABLE}, True),
        ({"failure": Failure.LOST}, True),
        ({"failure": Failure.PROXY}, True),
        ({"failure": Failure.SILENT}, True),
        ({"failure": Failure.SILENT, "retry_silence": False}, False),
        ({"failure": Failure.UNREACHABLE, "retry_silence": False}, True),
        ({"failure": Failure.UNTRUSTED}, False),
    ],
)
def test_retry_policy(met: dict[str, object], again: bool) -> None:
    assert should_retry(1, 0, **met) is again  # type: ignore[arg-type]
    assert not should_retry(ATTEMPTS, 0, **met)  # type: ignore[arg-type]
    assert not should_retry(1, RETRY_DEADLINE + 0.1, **met)  # type: ignore[arg-type]


def test_pauses_grow_to_five_seconds() -> None:
    for attempt, most in ((1, 0.4), (2, 0.8), (3, 1.6), (4, 3.2), (5, 5), (50, 5)):
        assert {most / 2 <= pause(attempt) <= most for _ in range(50)} == {True}


@pytest.fixture
def impatient(impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry after a few milliseconds, without a proxy."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def storage_at(port: int) -> S3Storage:
    return S3Storage(
        bucket="ferry", endpoint=f"http://127.0.0.1:{port}", aws_access_key_id="a", aws_secret_access_key="b"
    )


def answer(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


DONE = answer("204 No Content")
PASSING = [
    answer("400 Bad", b"<Error><Code>RequestTimeout</Code></Error>"),
    answer("503 Busy", b"<Error><Code>SlowDown</Code></Error>"),
    answer("408 Slow"),
    None,
]


def put(port: int) -> int:
    client = HttpClient("http", f"127.0.0.1:{port}")
    try:
        return ask(client, body=b"x").status
    finally:
        client.close()


CALLS: dict[str, Callable[[S3Storage, int], object]] = {
    "boto3": lambda storage, port: storage.delete("key"),
    "Ferry": lambda storage, port: put(port),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failures", [[each] for each in PASSING] + [PASSING[:4]])
def test_both_clients_retry_temporary_failures(impatient: None, call: str, failures: list[bytes | None]) -> None:
    server = RawServer(*failures, DONE)
    CALLS[call](storage_at(server.port), server.port)

    assert len(server.requests) == len(failures) + 1
    server.close()


def test_both_clients_stop_at_the_same_attempt_and_at_a_permanent_error(impatient: None) -> None:
    for call in CALLS.values():
        busy = RawServer(*[answer("503 Busy")] * 9)
        storage = storage_at(busy.port)
        with suppress(StorageError):
            call(storage, busy.port)
        assert len(busy.requests) == ATTEMPTS
        busy.close()
    denied = RawServer(answer("403 No", b"<Error><Code>AccessDenied</Code></Error>"), DONE)
    with pytest.raises(StorageDenied):
        storage_at(denied.port).delete("key")
    assert len(denied.requests) == 1
    denied.close()


def test_both_clients_retry_a_closed_port_equally_long(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[int] = []
    monkeypatch.setattr(client, "pause", lambda attempt: paused.append(attempt) or 0.001)  # type: ignore[func-returns-value]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(StorageUnavailable, match="can't be reached"):
        storage_at(port).delete("key")

    assert paused == [1, 2, 3, 4]


def test_a_download_from_a_silent_storage_fails_after_one_wait(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.3)
    line = Line(lambda _: time.sleep(2))
    began = time.monotonic()

    with pytest.raises(StorageUnavailable, match="does not respond"):
        storage_at(line.port).open("key")
    assert line.connections == 1
    assert time.monotonic() - began < 1.9
    line.close()


ETAG = "0" * 32
MADE = f'<CompleteMultipartUploadResult><ETag>"{ETAG}-1"</ETag></CompleteMultipartUploadResult>'.encode()


@pytest.mark.parametrize("declaration", [b"", b'<?xml version="1.0"?>\n'])
def test_a_complete_may_be_silent_longer_than_other_calls_and_send_spaces(
    impatient: None, monkeypatch: pytest.MonkeyPatch, declaration: bytes
) -> None:
    def slow(line: socket.socket) -> None:
        """A Complete whose head comes at once, spaces after it, and the end later than boto3's usual time-out."""
        time.sleep(0.5)
        body = b"   \n" + declaration + MADE
        line.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n \r\n")
        time.sleep(0.5)
        line.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    line = Line(slow)
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.3)
    storage = storage_at(line.port)
    monkeypatch.setattr(storage._objects, "verify", lambda key, sent, **_: sent.etag)

    assert storage._multipart.complete(MultipartUpload("k", "u"), [UploadedPart(5, ETAG, None)]) == f"{ETAG}-1"
    assert line.connections == 1
    line.close()


def test_a_200_with_an_error_body_is_an_error(impatient: None) -> None:
    failed = b'  <?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>'
    server = RawServer(answer("200 OK", failed), answer("200 OK"))
    client = HttpClient("http", f"127.0.0.1:{server.port}")

    assert ask(client, "POST", b"x").status == 200
    assert len(server.requests) == 2
    client.close()
    server.close()
