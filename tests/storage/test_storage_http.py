"""HTTP to the storage: answers of every shape, connections that end at every moment."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from storage.base import StorageUnavailable
from storage.s3 import connection, retries
from storage.s3.http import HttpClient, Response, StreamingResponse


class Server:
    """Answers each request with the next of `answers`, byte for byte. None: closes the connection instead."""

    def __init__(self, *answers: bytes | None, tls: ssl.SSLContext | None = None) -> None:
        self._answers, self._tls = list(answers), tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as talking:
                    self._serve(talking)
            except OSError:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        while self._answers and (request := self._request(connection)):
            self.requests.append(request)
            answer = self._answers.pop(0)
            if answer is None:
                return
            connection.sendall(answer)
            if b"close" in answer:
                return

    def _request(self, connection: socket.socket) -> bytes:
        got = b""
        while b"\r\n\r\n" not in got:
            block = connection.recv(65536)
            if not block:
                return b""
            got += block
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 2)


@pytest.fixture
def serve() -> Iterator[object]:
    made: list[Server | HttpClient] = []

    def start(*answers: bytes | None) -> tuple[Server, HttpClient]:
        server = Server(*answers)
        made.extend((HttpClient("http", f"127.0.0.1:{server.port}"), server))
        return server, made[-2]  # type: ignore[return-value]

    yield start
    for each in made:
        each.close()


OK = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 2\r\n\r\nok'


def ask(client: HttpClient, method: str = "PUT", body: bytes = b"", attempts: int = 5) -> Response:
    return client.request(method, "/bucket/key", lambda: {"X-Signed": "yes"}, body, attempts)


@pytest.mark.parametrize(
    ("method", "sent", "expected"),
    [
        ("PUT", OK, Response(200, {"etag": '"x"', "content-length": "2"}, b"ok")),
        ("PUT", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Response(200, {"etag": '"x"', "content-length": "2"}, b"ok")),
        ("PUT", b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, {}, b"")),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Response(200, {"content-length": "99"}, b"")),
        (
            "PUT",
            b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
            Response(403, {"transfer-encoding": "chunked"}, b"abcde"),
        ),
        ("PUT", b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nall", Response(200, {"connection": "close"}, b"all")),
    ],
)
def test_a_response_is_read_by_the_rules_of_http(serve: object, method: str, sent: bytes, expected: Response) -> None:
    _, client = serve(sent)  # type: ignore[operator]

    assert ask(client, method) == expected


def test_a_request_has_its_required_headers(serve: object) -> None:
    server, client = serve(OK, OK)  # type: ignore[operator]
    ask(client, "PUT", b"body")
    ask(client, "HEAD")

    put, head = server.requests
    assert put.split(b"\r\n")[0] == b"PUT /bucket/key HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}".encode() in put
    assert b"X-Signed: yes" in put
    assert b"Content-Length: 4" in put
    assert put.endswith(b"\r\n\r\nbody")
    assert b"Content-Length" not in head


def test_an_empty_object_has_a_length(serve: object) -> None:
    server, client = serve(OK)  # type: ignore[operator]
    ask(client, "PUT", b"")

    assert b"Content-Length: 0" in server.requests[0]


def test_connections_are_reused(serve: object) -> None:
    server, client = serve(OK, OK, OK)  # type: ignore[operator]
    for _ in range(3):
        ask(client)

    assert server.connections == 1


def test_a_closed_idle_connection_costs_no_attempt(serve: object) -> None:
    server, client = serve(OK + b"", None, OK)  # type: ignore[operator]
    ask(client)
    with pytest.raises(StorageUnavailable):
        ask(client, attempts=1)

    assert ask(client, attempts=1).status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    "broken",
    [
        None,
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nconnection: close\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_temporary_failures_are_retried(serve: object, broken: bytes | None) -> None:
    server, client = serve(broken or None, OK)  # type: ignore[operator]

    assert ask(client, body=b"again").status == 200
    assert server.requests[-1].endswith(b"again")


def test_a_permanent_failure_is_raised(serve: object) -> None:
    _, client = serve(*[None] * 5)  # type: ignore[operator]

    with pytest.raises(StorageUnavailable):
        ask(client)


def test_the_last_response_is_returned(serve: object) -> None:
    _, client = serve(*[b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"] * 5)  # type: ignore[operator]

    assert ask(client).status == 503


def test_a_silent_storage_times_out(serve: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.1)
    _, client = serve(b"HTTP/1.1 200")  # type: ignore[operator]

    with pytest.raises(StorageUnavailable):
        ask(client, attempts=1)


def opened(client: HttpClient) -> StreamingResponse:
    answer = client.open("/bucket/key", lambda: {"X-Signed": "yes"})
    assert isinstance(answer, StreamingResponse)
    return answer


def test_a_read_body_returns_its_connection_and_an_unread_one_closes_it(serve: object) -> None:
    server, client = serve(OK, OK, OK, OK)  # type: ignore[operator]
    assert [b"".join(opened(client).body) for _ in range(2)] == [b"ok", b"ok"]
    assert server.connections == 1

    opened(client).body.close()
    assert b"".join(opened(client).body) == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("status", [b"404 Not Found", b"403 No"])
def test_an_error_response_is_read_completely_and_keeps_the_connection(serve: object, status: bytes) -> None:
    server, client = serve(OK.replace(b"200 OK", status), OK)  # type: ignore[operator]
    refused = client.open("/bucket/key", dict)

    assert refused == Response(int(status[:3]), {"etag": '"x"', "content-length": "2"}, b"ok")
    assert b"".join(opened(client).body) == b"ok"
    assert server.connections == 1


@pytest.mark.parametrize(
    "broken", [None, b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nclose"]
)
def test_temporary_failures_before_the_first_byte_are_retried(serve: object, broken: bytes | None) -> None:
    _, client = serve(broken, OK)  # type: ignore[operator]

    assert b"".join(opened(client).body) == b"ok"


@pytest.mark.parametrize("ends", ["close", "keep-alive"])
def test_a_body_that_ends_too_early_or_stops_is_an_error(
    serve: object, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    cut = f"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: {ends}\r\n\r\nonly".encode()
    server, client = serve(cut, OK)  # type: ignore[operator]

    with pytest.raises(StorageUnavailable):
        list(opened(client).body)
    assert ask(client, attempts=1).status == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    ("netloc", "scheme", "header"),
    [("s3.example.com", "https", "s3.example.com"), ("s3:9000", "http", "s3:9000"), ("s3:443", "https", "s3")],
)
def test_the_host_header_equals_the_signed_one(netloc: str, scheme: str, header: str) -> None:
    assert HttpClient(scheme, netloc)._host_header == header


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


def test_tls_requires_a_trusted_certificate(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = Server(OK, OK, OK, tls=tls)
    trusting = HttpClient("https", f"127.0.0.1:{server.port}", str(certificate))
    wary = HttpClient("https", f"127.0.0.1:{server.port}")

    assert ask(trusting, body=bytes(3_000_000)).status == 200
    assert ask(trusting).status == 200
    assert server.connections == 1
    trusting.close()
    with pytest.raises(StorageUnavailable):
        ask(wary, attempts=1)
    server.close()


class Line:
    """A listener with a small receive buffer, as any real line has, and a script for each connection."""

    def __init__(self, script: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls, self.connections = script, tls, 0
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection, suppress(OSError):
            read_until(connection, b"\r\n\r\n")
            self._script(connection)

    def close(self) -> None:
        self._listener.close()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while end not in got and (block := connection.recv(4096)):
        got += block
    return got


REFUSED = b"HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 23\r\n\r\n<Code>AccessDenied</Code"


def refuse_and_reset(connection: socket.socket) -> None:
    connection.sendall(REFUSED)
    time.sleep(0.05)


def refuse_and_wait(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
    time.sleep(0.05)
    connection.sendall(REFUSED)
    connection.recv(1)
    time.sleep(2)


def refuse_in_mid_body(connection: socket.socket) -> None:
    for _ in range(20):
        connection.recv(4096)
    refuse_and_reset(connection)


@pytest.mark.parametrize("script", [refuse_and_reset, refuse_and_wait, refuse_in_mid_body])
@pytest.mark.parametrize("size", [1000, 300_000, 8 << 20])
def test_an_early_error_response_is_returned(script: Callable[[socket.socket], None], size: int) -> None:
    line = Line(script if size > 1000 else refuse_and_reset)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    assert ask(client, body=bytes(size)).status == 403
    assert ask(client, body=bytes(size)).status == 403, "the connection is not used again"
    assert line.connections == 2
    assert time.monotonic() - began < 1.5
    client.close()
    line.close()


@pytest.mark.parametrize(
    ("answer", "status"), [(REFUSED, 403), (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None)]
)
def test_after_a_failed_send_only_an_error_response_counts(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, status: int | None
) -> None:
    """The peer's reset comes between the look for an answer and the next send."""

    def reset(sock: socket.socket, piece: memoryview) -> int:
        time.sleep(0.2)
        raise ConnectionResetError

    line = Line(lambda peer: peer.sendall(answer))
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    monkeypatch.setattr(connection, "wait_for", lambda sock, events, seconds: select.POLLOUT)
    monkeypatch.setattr(connection, "_send_some", reset)
    if status:
        assert ask(client, body=bytes(300_000), attempts=1).status == status
    else:
        with pytest.raises(StorageUnavailable):
            ask(client, body=bytes(300_000), attempts=1)
    client.close()
    line.close()


def test_an_early_error_response_is_seen_through_tls(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    line = Line(refuse_and_wait, tls)
    client = HttpClient("https", f"127.0.0.1:{line.port}", str(certificate))
    began = time.monotonic()

    assert ask(client, body=bytes(8 << 20)).status == 403
    assert time.monotonic() - began < 1.5
    client.close()
    line.close()


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 40", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"\x00" * 99])
def test_a_connection_closed_in_mid_body_is_no_response(early: bytes) -> None:
    def end(connection: socket.socket) -> None:
        connection.sendall(early)
        time.sleep(0.05)

    line = Line(end)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    with pytest.raises(StorageUnavailable):
        ask(client, body=bytes(8 << 20), attempts=2)
    assert line.connections == 2
    client.close()
    line.close()


@pytest.mark.parametrize("seconds", [0.02, 0.05])
def test_a_slow_line_is_not_a_silent_one(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The whole takes many times the time that may pass without progress; the send buffer alone takes longer."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.4)
    monkeypatch.setattr(connection, "_POLL_SECONDS", 0.05)
    size, got = 2 << 20, []

    def drip(line: socket.socket) -> None:
        while sum(got) < size - 4096:
            got.append(len(line.recv(64 << 10)))
            time.sleep(seconds * got[-1] / (64 << 10))
        line.sendall(OK)

    line = Line(drip)
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    assert ask(client, body=bytes(size), attempts=1).status == 200
    assert time.monotonic() - began > 0.6
    client.close()
    line.close()


def test_a_connection_without_progress_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
    line = Line(lambda _: time.sleep(1))
    client = HttpClient("http", f"127.0.0.1:{line.port}")
    began = time.monotonic()

    with pytest.raises(StorageUnavailable, match="does not respond"):
        ask(client, body=bytes(8 << 20), attempts=1)
    assert 0.2 <= time.monotonic() - began < 0.9
    client.close()
    line.close()
