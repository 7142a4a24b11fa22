"""Unusable addresses: named in the error, and retried only if a pause may help."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from ferry_client import ConnectionFailed, Ferry, FerryError

from dev.process import free_port
from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer, disconnect


@pytest.mark.usefixtures("no_retries")
def test_a_closed_port_fails_at_once_with_one_line(shell: Shell, folder: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = shell("upload", "--url", url, *folder.glob("*.txt"))

    assert (code, out) == (1, "")
    assert err.count(f"{url} can't be reached: Connection refused") == 1


@pytest.mark.usefixtures("no_retries")
def test_an_unknown_host_is_reported(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    code, _, err = shell("ls", "--url", "http://name:secret@nowhere.example")

    assert (code, err.count("\n")) == (1, 1)
    assert "http://nowhere.example can't be reached: the host nowhere.example is unknown" in err
    assert "--url or FERRY_URL" in err


def test_a_server_that_has_answered_is_retried(fake: FakeServer, ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart: the port refuses connections for a while."""
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
    """An address that drops packets: each attempt takes ten seconds."""
    now, sleeps = [0.0], []

    def time_out(*_: object, **__: object) -> None:
        now[0] += 10
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", time_out)
    monkeypatch.setattr("ferry_client.http.time.monotonic", lambda: now[0])
    monkeypatch.setattr("ferry_client.retries.time.sleep", sleeps.append)
    with (
        Ferry("http://192.0.2.1") as ferry,
        pytest.raises(ConnectionFailed, match=r"http://192\.0\.2\.1 can't be reached"),
    ):
        list(ferry.list())

    assert 30 < now[0] <= 60
    assert sum(sleeps) + now[0] <= 70


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b"{}", b'{"files": 3, "next": null}', b'{"files": [{}], "next": 1}']
)
def test_a_foreign_response_names_the_address(fake: FakeServer, shell: Shell, body: bytes) -> None:
    fake.overrides = [lambda handler: handler.respond(200, body)]
    code, _, err = shell("ls", "--url", fake.url)

    assert (code, err.count("\n")) == (1, 1)
    assert f"What answers at {fake.url}/files is not Ferry" in err


@pytest.mark.parametrize("argv", [("upload", __file__), ("status", "a"), ("rm", "a"), ("download", "a"), ("link", "a")])
def test_every_command_reports_a_foreign_response(fake: FakeServer, shell: Shell, argv: tuple[str, ...]) -> None:
    for answer in (b"<html>", b'{"id": 3}', b'{"a": null}'):
        fake.overrides = [lambda handler, answer=answer: handler.respond(200, answer)]  # type: ignore[misc]
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
    fake.overrides = [lambda handler: handler.respond(301, Location=location)]
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
    fake.overrides = [lambda handler: handler.respond(400, body)]
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
    fake.overrides = [lambda handler: handler.respond(403, b"<html>")]

    with Ferry(fake.url) as ferry, pytest.raises(FerryError, match=f"{fake.url} answered 403, and not as Ferry does"):
        list(ferry.list())
