"""Failed connections: permanent or temporary, and their messages."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from ferry_client import ConnectionFailed, WrongAddress, WrongProxy
from ferry_client.connection_errors import Endpoint, connection_error
from ferry_client.proxies import Proxy

from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer
from tests.harness.tcp_server import TcpServer
from tests.tls import Certificate, certificate

_ENDPOINT = Endpoint("https://ferry.example")
_PROXIED = Endpoint("https://ferry.example", Proxy("https://u:secret@proxy:1", "https_proxy"))


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def _untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "x")
    error.reason, error.verify_message = "CERTIFICATE_VERIFY_FAILED", "certificate has expired"
    return error


_PERMANENT: list[tuple[OSError, Endpoint, str]] = [
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), _ENDPOINT, "the host ferry.example is unknown"),
    (socket.gaierror(socket.EAI_FAIL, "Non-recoverable"), _ENDPOINT, "the host ferry.example is unknown"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), _PROXIED, "the host proxy is unknown"),
    (ConnectionRefusedError(111, "Connection refused"), _ENDPOINT, "no server listens there"),
    (ConnectionRefusedError(111, "Connection refused"), _PROXIED, "The proxy https://proxy:1 (https_proxy) can't"),
    (_tls("WRONG_VERSION_NUMBER"), _ENDPOINT, "use http://ferry.example"),
    (_tls("WRONG_VERSION_NUMBER"), _PROXIED, "use http:// in https_proxy"),
    (_tls("TLSV1_ALERT_PROTOCOL_VERSION"), _ENDPOINT, "TLS failed: tlsv1 alert protocol version"),
    (_untrusted(), _ENDPOINT, "its certificate is not trusted: certificate has expired"),
]
_TEMPORARY: list[OSError] = [
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    TimeoutError(110, "Connection timed out"),
    ConnectionResetError(104, "Connection reset by peer"),
    OSError(101, "Network is unreachable"),
    OSError(113, "No route to host"),
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
]


def _wrapped(cause: OSError) -> Exception:
    """Nest a system error in two others, as httpx does."""
    inner, outer = RuntimeError(str(cause)), RuntimeError(str(cause))
    inner.__cause__, outer.__cause__ = cause, inner
    return outer


@pytest.mark.parametrize(("cause", "endpoint", "reported"), _PERMANENT, ids=[str(n) for n in range(len(_PERMANENT))])
def test_a_permanent_failure_is_a_wrong_address_before_the_first_response(
    cause: OSError, endpoint: Endpoint, reported: str
) -> None:
    first = connection_error(_wrapped(cause), endpoint, answered=False, idle=0)
    later = connection_error(_wrapped(cause), endpoint, answered=True, idle=0)

    assert (type(first), type(later)) == (WrongProxy if endpoint.proxy else WrongAddress, ConnectionFailed)
    assert reported in first.detail
    assert "secret" not in first.detail + later.detail


@pytest.mark.parametrize("cause", _TEMPORARY, ids=[str(n) for n in range(len(_TEMPORARY))])
def test_a_temporary_failure_is_a_connection_failed(cause: OSError) -> None:
    error = connection_error(_wrapped(cause), _ENDPOINT, answered=False, idle=7.5)

    assert (type(error), error.idle) == (ConnectionFailed, 7.5)
    assert error.detail.startswith("https://ferry.example can't be reached: ")


def _responds(answer: bytes, tls: ssl.SSLContext | None = None) -> TcpServer:
    """A server that sends `answer` to every client that has sent something."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return TcpServer(serve, tls=tls)


def _expects_tls(tls_certificate: Certificate) -> TcpServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_certificate.cert, tls_certificate.key)
    return _responds(b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"files": [], "next": null}', context)


@pytest.fixture(scope="module")
def tls_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate of 127.0.0.1."""
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")


@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail.example ESMTP\r\n", b"-ERR unknown command 'GET'\r\n"], ids=str
)
def test_the_banner_of_another_protocol_is_quoted(banner: bytes, shell: Shell) -> None:
    with _responds(banner) as server:
        port = server.port
        code, _, err = shell("ls", "--url", f"http://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"http://127.0.0.1:{port} can't be reached: " in err
    assert f"what answers there is not HTTP: {banner.decode().strip()!r}" in err


@pytest.mark.usefixtures("no_retries")
def test_http_on_a_tls_port_advises_https(tls_certificate: Certificate, shell: Shell) -> None:
    with _expects_tls(tls_certificate) as server:
        port = server.port
        code, _, err = shell("ls", "--url", f"http://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"use https://127.0.0.1:{port}" in err


@pytest.mark.usefixtures("no_retries")
def test_https_on_a_plain_port_advises_http(fake: FakeServer, shell: Shell) -> None:
    code, _, err = shell("ls", "--url", fake.url.replace("http", "https"))

    assert (code, err.count("\n")) == (1, 1)
    assert f"use {fake.url}" in err


@pytest.mark.usefixtures("no_retries")
def test_an_untrusted_certificate_is_reported(tls_certificate: Certificate, shell: Shell) -> None:
    with _expects_tls(tls_certificate) as server:
        port = server.port
        code, _, err = shell("ls", "--url", f"https://127.0.0.1:{port}")

    assert (code, err.count("\n")) == (1, 1)
    assert f"https://127.0.0.1:{port} can't be reached: its certificate is not trusted: self-signed" in err


def test_ssl_cert_file_is_trusted(tls_certificate: Certificate, monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_certificate.cert))

    with _expects_tls(tls_certificate) as server:
        port = server.port
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
