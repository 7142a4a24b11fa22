"""Addresses where no Ferry answers: named, and given up at once unless a pause may help."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ferry_client import ConnectionFailed, Ferry, FerryError, WrongAddress, WrongProxy
from ferry_client.connection_errors import Endpoint, connection_error
from ferry_client.proxies import Proxy

from dev.process import free_port
from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer, disconnect
from tests.tls import Certificate, certificate

_PLACE = Endpoint("https://ferry.example")
_PROXIED = Endpoint("https://ferry.example", Proxy("https://u:secret@proxy:1", "https_proxy"))


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def _untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.reason, error.verify_message = "CERTIFICATE_VERIFY_FAILED", "certificate has expired"
    return error


_HOPELESS: list[tuple[OSError, Endpoint, str]] = [
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), _PLACE, "the host ferry.example is unknown"),
    (socket.gaierror(socket.EAI_FAIL, "Non-recoverable"), _PLACE, "the host ferry.example is unknown"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), _PROXIED, "the host proxy is unknown"),
    (ConnectionRefusedError(111, "Connection refused"), _PLACE, "no server listens there"),
    (ConnectionRefusedError(111, "Connection refused"), _PROXIED, "The proxy https://proxy:1 (https_proxy) can't"),
    (_tls("WRONG_VERSION_NUMBER"), _PLACE, "use http://ferry.example"),
    (_tls("WRONG_VERSION_NUMBER"), _PROXIED, "use http:// in https_proxy"),
    (_tls("TLSV1_ALERT_PROTOCOL_VERSION"), _PLACE, "TLS failed: tlsv1 alert protocol version"),
    (_untrusted(), _PLACE, "its certificate is not trusted: certificate has expired"),
]
_PASSING: list[OSError] = [
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    TimeoutError(110, "Connection timed out"),
    ConnectionResetError(104, "Connection reset by peer"),
    OSError(101, "Network is unreachable"),
    OSError(113, "No route to host"),
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
]


def _wrapped(cause: OSError) -> Exception:
    """As httpx raises it: the system's error beneath two others."""
    inner, outer = RuntimeError(str(cause)), RuntimeError(str(cause))
    inner.__cause__, outer.__cause__ = cause, inner
    return outer


@pytest.mark.parametrize(("cause", "place", "reported"), _HOPELESS, ids=[str(n) for n in range(len(_HOPELESS))])
def test_a_permanent_failure_is_a_wrong_address_before_the_first_response(
    cause: OSError, place: Endpoint, reported: str
) -> None:
    first = connection_error(_wrapped(cause), place, answered=False, idle=0)
    later = connection_error(_wrapped(cause), place, answered=True, idle=0)

    assert (type(first), type(later)) == (WrongProxy if place.proxy else WrongAddress, ConnectionFailed)
    assert reported in first.detail
    assert "secret" not in first.detail + later.detail


@pytest.mark.parametrize("cause", _PASSING, ids=[str(n) for n in range(len(_PASSING))])
def test_a_temporary_failure_is_a_connection_failed(cause: OSError) -> None:
    error = connection_error(_wrapped(cause), _PLACE, answered=False, idle=7.5)

    assert (type(error), error.idle) == (ConnectionFailed, 7.5)
    assert error.detail.startswith("https://ferry.example can't be reached: ")


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port of loopback on which each connection is given to `serve` and closed."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                line, _ = server.accept()
                with line, suppress(OSError):
                    line.settimeout(5)
                    serve(line)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def _says(answer: bytes) -> Callable[[socket.socket], object]:
    def serve(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(answer)

    return serve


def _expects_tls(made: Certificate) -> Callable[[socket.socket], object]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.cert, made.key)

    def serve(line: socket.socket) -> None:
        with context.wrap_socket(line, server_side=True) as encrypted:
            encrypted.recv(65536)
            encrypted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + b'{"files": [], "next": null}')

    return serve


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate of 127.0.0.1 that signs itself."""
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second try, not even after a pause."""
    monkeypatch.setattr("ferry_client.retries.time.sleep", lambda _: pytest.fail("a pause"))


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail.example ESMTP\r\n", b"-ERR unknown command 'GET'\r\n"], ids=str
)
def test_the_banner_of_another_protocol_is_quoted(banner: bytes, shell: Shell) -> None:
    with listening(_says(banner)) as port:
        code, _, err = shell("ls", "--url", f"http://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"http://127.0.0.1:{port} can't be reached: " in err
    assert f"what answers there is not HTTP: {banner.decode().strip()!r}" in err


@pytest.mark.usefixtures("unhurried")
def test_http_on_a_tls_port_advises_https(made: Certificate, shell: Shell) -> None:
    with listening(_expects_tls(made)) as port:
        code, _, err = shell("ls", "--url", f"http://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"use https://127.0.0.1:{port}" in err


@pytest.mark.usefixtures("unhurried")
def test_https_on_a_plain_port_advises_http(fake: FakeServer, shell: Shell) -> None:
    code, _, err = shell("ls", "--url", fake.url.replace("http", "https"))

    assert (code, err.count("\n")) == (1, 1)
    assert f"use {fake.url}" in err


@pytest.mark.usefixtures("unhurried")
def test_an_untrusted_certificate_is_reported(made: Certificate, shell: Shell) -> None:
    with listening(_expects_tls(made)) as port:
        code, _, err = shell("ls", "--url", f"https://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"https://127.0.0.1:{port} can't be reached: its certificate is not trusted: self-signed" in err


def test_ssl_cert_file_is_trusted(made: Certificate, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(made.cert))

    with listening(_expects_tls(made)) as port:
        assert shell("ls", "--url", f"https://127.0.0.1:{port}") == (0, "", "")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_ssl_cert_file_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    code, _, err = shell("ls", "--url", "https://ferry.example")
    assert (code, err.count("\n")) == (2, 1)
    assert "SSL_CERT_FILE" in err


@pytest.mark.usefixtures("unhurried")
def test_a_closed_port_fails_at_once_with_one_line(shell: Shell, folder: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = shell("upload", "--url", url, *folder.glob("*.txt"))

    assert (code, out) == (1, "")
    assert err.count(f"{url} can't be reached: Connection refused") == 1


@pytest.mark.usefixtures("unhurried")
def test_an_unknown_host_is_reported(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    code, _, err = shell("ls", "--url", "http://name:secret@nowhere.example")

    assert (code, err.count("\n")) == (1, 1)
    assert "http://nowhere.example can't be reached: the host nowhere.example is unknown" in err
    assert "--url or FERRY_URL" in err


def test_a_server_that_has_answered_is_retried(fake: FakeServer, ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart: its port refuses for a while."""
    assert list(ferry.list()) == []
    connect, refusals = socket.create_connection, [1, 2]

    def refuse(*argv: object, **more: object) -> socket.socket:
        if refusals:
            refusals.pop()
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(*argv, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "create_connection", refuse)
    ferry._http._client._transport._pool.close()  # type: ignore[attr-defined]

    assert list(ferry.list()) == []
    assert not refusals


def test_failed_connections_count_towards_max_retry_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that swallows packets: ten seconds a try."""
    now, pauses = [0.0], []

    def swallow(*_: object, **__: object) -> None:
        now[0] += 10
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", swallow)
    monkeypatch.setattr("ferry_client.http.time.monotonic", lambda: now[0])
    monkeypatch.setattr("ferry_client.retries.time.sleep", pauses.append)
    with (
        Ferry("http://192.0.2.1") as ferry,
        pytest.raises(ConnectionFailed, match=r"http://192\.0\.2\.1 can't be reached"),
    ):
        list(ferry.list())

    assert 30 < now[0] <= 60
    assert sum(pauses) + now[0] <= 70


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"{}", b'{"files": 3, "next": null}', b'{"files": [{}], "next": 1}']
)
def test_a_foreign_response_names_the_address(fake: FakeServer, shell: Shell, body: bytes) -> None:
    fake.overrides = [lambda handler: handler.answer(200, body)]
    code, _, err = shell("ls", "--url", fake.url)

    assert (code, err.count("\n")) == (1, 1)
    assert f"What answers at {fake.url}/files is not Ferry" in err


@pytest.mark.parametrize("argv", [("upload", __file__), ("status", "a"), ("rm", "a"), ("download", "a"), ("link", "a")])
def test_every_command_reports_a_foreign_response(fake: FakeServer, shell: Shell, argv: tuple[str, ...]) -> None:
    for answer in (b"<html>", b'{"id": 3}', b'{"a": null}'):
        fake.overrides = [lambda handler, answer=answer: handler.answer(200, answer)]  # type: ignore[misc]
        code, _, err = shell(*argv, "--url", fake.url)

        assert code == 1
        assert f"{fake.url}/" in err
        assert "is not Ferry" in err


@pytest.mark.parametrize(
    ("location", "reported"),
    [
        ("https://ferry.example/files", "redirects to https://ferry.example."),
        ("https://ferry.example/base/files?limit=100", "redirects to https://ferry.example/base."),
        ("//ferry.example/files", "redirects to http://ferry.example."),
        ("https://login.example/?next=secret", "redirects to https://login.example."),
    ],
)
def test_a_redirect_names_the_address_to_use(fake: FakeServer, shell: Shell, location: str, reported: str) -> None:
    fake.overrides = [lambda handler: handler.answer(301, Location=location)]
    code, _, err = shell("ls", "--url", fake.url)

    assert (code, err.count("\n"), len(fake.requests)) == (1, 1, 1)
    assert f"{fake.url} {reported} Set --url or FERRY_URL to that address" in err


@pytest.mark.parametrize(
    "argv",
    [("ls",), ("rm", "x"), ("download", "x"), ("upload", __file__, __file__, "--jobs", "1")],
    ids=lambda argv: argv[0],
)
def test_a_wrong_path_in_the_address_fails_once(fake: FakeServer, shell: Shell, argv: tuple[str, ...]) -> None:
    code, _, err = shell(*argv, "--url", f"{fake.url}/docs/")
    [reported] = [line for line in err.splitlines() if line.startswith("ferry: ")]

    assert (code, len(fake.requests)) == (1, 1)
    assert reported.startswith(f"ferry: Ferry answers at {fake.url}/docs/, but not to /docs/")
    assert f"its address is probably {fake.url}. Set --url or FERRY_URL" in reported


def test_an_unknown_file_names_an_address_with_a_path(fake: FakeServer, shell: Shell) -> None:
    code, _, err = shell("status", "x", "--url", f"{fake.url}/base")

    assert (code, err) == (1, f"ferry: x: There is no such file at {fake.url}/base (not-found)\n")


def test_nginx_on_a_tls_port_advises_https(fake: FakeServer, shell: Shell) -> None:
    body = b"<html><body><center>The plain HTTP request was sent to HTTPS port</center></body></html>"
    fake.overrides = [lambda handler: handler.answer(400, body)]
    _, _, err = shell("ls", "--url", fake.url)

    assert f"use {fake.url.replace('http', 'https')}" in err


@pytest.mark.parametrize(
    "url",
    [
        "nonsense", "ftp://127.0.0.1", "http://[", "http://", "http://a..b", f"http://{'a' * 64}.example", "http://a b",
        "http://a\x01b", "http://a:0", "http://a:99999", "http://a/?b=c", "http://a/#b",
    ],
)  # fmt: skip
def test_a_malformed_address_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server"):
        Ferry(url)


def test_a_broken_connection_is_retried_before_the_first_response(fake: FakeServer, ferry: Ferry) -> None:
    fake.overrides = [disconnect, disconnect]

    assert list(ferry.list()) == []
    assert len(fake.requests) == 3


def test_other_errors_name_the_address(fake: FakeServer) -> None:
    fake.overrides = [lambda handler: handler.answer(403, b"<html>")]

    with Ferry(fake.url) as ferry, pytest.raises(FerryError, match=f"{fake.url} answered 403, and not as Ferry does"):
        list(ferry.list())
