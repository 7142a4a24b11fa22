"""All requests to the storage use the proxy and the CA bundle that the environment names."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storage.base import StorageError, StorageUnavailable
from storage.parts import MIN_PART
from storage.s3 import retries
from storage.s3.body_reader import StreamingResponse
from storage.s3.client import S3Client
from storage.s3.http import HttpClient
from storage.s3.pool import Proxy
from storage.s3.storage import S3Storage
from tests.harness.tcp_server import TcpServer, read_head, splice
from tests.storage.raw_server import OK, Line, RawServer, ask

NAME = "storage.invalid"
"""A host that only the proxy resolves."""

_BASIC = "Basic " + base64.b64encode(b"me:p@ss").decode()


class ForwardProxy(TcpServer):
    """Forwards absolute URLs and tunnels to one port of this host, and records the requests."""

    def __init__(self, upstream: int, password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._upstream, self.seen = upstream, list[str]()
        self._wanted = base64.b64encode(password.encode()).decode()
        super().__init__(self._forward, tls=tls)

    def _forward(self, client: socket.socket) -> None:
        head, rest = read_head(client)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.seen.append(f"{method} {target.split('?')[0]}")
        if self._wanted and f"Proxy-Authorization: Basic {self._wanted}".encode() not in head:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self._upstream)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                place = urlsplit(target)
                head = head.replace(f"{place.scheme}://{place.netloc}".encode(), b"", 1)
                # moto would read a bucket's name in the host's.
                head = head.replace(f"Host: {NAME}".encode(), b"Host: 127.0.0.1")
                server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"\r\n\r\n" + rest)
            splice(client, server)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "aws_ca_bundle", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(retries, "_FIRST_PAUSE", 0.001)
    return monkeypatch


@pytest.fixture
def proxy(moto: str) -> Iterator[ForwardProxy]:
    made = ForwardProxy(urlsplit(moto).port or 80)
    yield made
    made.close()


def storage_at(endpoint: str) -> S3Storage:
    return S3Storage(bucket="ferry", endpoint=endpoint, aws_access_key_id="a", aws_secret_access_key="b")


def test_a_storage_behind_a_proxy_is_used(proxy: ForwardProxy, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
    storage = storage_at(f"http://{NAME}")
    body = bytes(MIN_PART + 1)

    assert storage.put("small", iter([b"four"]), content_type="text/plain").size == 4
    stored = storage.put("large", iter([body]), max_bytes=12 * MIN_PART, content_type="text/plain")
    assert stored.size == len(body)
    assert b"".join(storage.open("large")) == body
    assert [stat.key for stat in storage.list_objects("large")] == ["large"]
    storage.delete("large")
    assert all(f" http://{NAME}/ferry" in line for line in proxy.seen)
    assert {line.split()[0] for line in proxy.seen} == {"PUT", "HEAD", "POST", "GET", "DELETE"}
    storage.close()


@pytest.mark.parametrize("excepted", ["127.0.0.1", "*"])
def test_no_proxy_hosts_are_reached_directly(
    moto: str, proxy: ForwardProxy, environment: pytest.MonkeyPatch, excepted: str
) -> None:
    environment.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    environment.setenv("NO_PROXY", excepted)
    storage = storage_at(moto)
    storage.put("direct", iter([b"four"]), content_type="text/plain")
    storage.delete("direct")

    assert proxy.seen == []
    storage.close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "http://[", "//:"])
def test_a_broken_proxy_is_named_by_both_clients(environment: pytest.MonkeyPatch, address: str) -> None:
    environment.setenv("HTTP_PROXY", address)
    storage = storage_at(f"http://{NAME}")

    for request in (lambda: storage.stat("key"), lambda: storage.delete("key")):
        with pytest.raises(StorageUnavailable, match="HTTP_PROXY"):
            request()


def test_tls_goes_through_a_tunnel_with_the_proxys_password(certificate: Path) -> None:
    server = RawServer(OK, OK, tls=server_tls(certificate))
    proxy = ForwardProxy(server.port, "me:p@ss")
    through = Proxy(f"http://127.0.0.1:{proxy.port}", {"Proxy-Authorization": _BASIC})
    client = HttpClient("https", f"127.0.0.1:{server.port}", str(certificate), through)

    assert [ask(client, body=bytes(3_000_000)).status, ask(client).status] == [200, 200]
    assert proxy.seen == [f"CONNECT 127.0.0.1:{server.port}"], "one tunnel, kept"
    assert all(b"Proxy-Authorization" not in request for request in server.requests)
    refused = HttpClient("https", f"127.0.0.1:{server.port}", str(certificate), Proxy(through.url))
    with pytest.raises(StorageUnavailable, match="proxy"):
        ask(refused, attempts=1)
    for each in (client, refused, proxy, server):
        each.close()


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b""])
def test_a_proxy_that_opens_no_tunnel_is_named(answer: bytes) -> None:
    line = Line(lambda peer: peer.sendall(answer))
    client = HttpClient("https", "s3.invalid", proxy=Proxy(f"http://127.0.0.1:{line.port}"))

    with pytest.raises(StorageUnavailable, match="proxy"):
        ask(client, attempts=1)
    line.close()


def server_tls(certificate: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    return tls


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_tls_of_its_own_is_used(certificate: Path, scheme: str) -> None:
    server = RawServer(OK, OK, OK, tls=server_tls(certificate) if scheme == "https" else None)
    proxy = ForwardProxy(server.port, tls=server_tls(certificate))
    client = HttpClient(scheme, f"127.0.0.1:{server.port}", str(certificate), Proxy(f"https://127.0.0.1:{proxy.port}"))

    assert ask(client, body=bytes(3_000_000)).status == 200
    assert ask(client, body=b"small").status == 200
    streaming = client.open("/bucket/key", dict)
    assert isinstance(streaming, StreamingResponse)
    assert b"".join(streaming.body) == b"ok"
    assert len(server.requests[0]) > 3_000_000
    for each in (client, proxy, server):
        each.close()


def test_the_proxy_is_chosen_by_scheme_and_its_password_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://me:p%40ss@proxy:3128")
    options = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = S3Client("ferry", "https://s3.example.com", **options)

    assert client.proxy is not None
    assert client.proxy.headers == {"Proxy-Authorization": _BASIC}
    assert "p%40ss" not in repr(client.proxy)
    assert S3Client("ferry", "http://s3.example.com", **options).proxy is None


def test_a_missing_ca_bundle_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(StorageError, match="AWS_CA_BUNDLE"):
        storage_at("https://127.0.0.1:1").stat("key")


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_ca_bundle_of_the_environment_is_trusted(
    environment: pytest.MonkeyPatch,
    certificate: Path,
    name: str,
) -> None:
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    server = RawServer(empty, empty, tls=server_tls(certificate))
    storage = storage_at(f"https://127.0.0.1:{server.port}")
    with pytest.raises(StorageUnavailable, match="certificate"):
        storage.stat("key")
    environment.setenv(name, str(certificate))
    trusting = storage_at(f"https://127.0.0.1:{server.port}")

    assert trusting.stat("key").size == 0
    trusting.delete("key")
    for each in (storage, trusting, server):
        each.close()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://proxy:1"}, ""),
        (
            {"HTTP_PROXY": "http://me:hunter2@proxy:3128"},
            "HTTP_PROXY is set: all requests to the storage go through http://proxy:3128",
        ),
        ({"http_proxy": "proxy:3128"}, "http_proxy is set: all requests to the storage go through http://proxy:3128"),
        ({"http_proxy": "proxy:3128", "no_proxy": NAME}, "http_proxy is set, and NO_PROXY excludes the storage"),
    ],
)
def test_doctor_names_the_proxy(environment: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)

    assert storage_at(f"http://{NAME}").describe_proxy() == said


def test_the_proxy_check_comes_first(proxy: ForwardProxy, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    checks = list(storage_at(f"http://{NAME}").diagnose())

    assert [check.subject.split()[0] for check in checks][:2] == ["proxy", "storage"]
    assert all(check.ok for check in checks)
