"""Proxy selection from the environment: tables, and commands under proxy variables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ferry_client import Ferry, FerryError, WrongAddress
from ferry_client.proxies import bypasses_proxy, is_loopback, proxy_for, strip_credentials

from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer, respond_problem

_LOCAL = "http://127.0.0.1:7890"
_REMOTE = "http://ferry.example:5000"
_VARIABLES = [f"{name}{end}" for name in ("http", "https", "all", "no") for end in ("_proxy", "_PROXY")]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxy variables."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("127.1", True),
        ("0x7f000001", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("ferry.localhost", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
        ("::2", False),
        ("ferry.example", False),
    ],
)
def test_loopback_is_recognised_in_every_spelling(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("no_proxy", "host", "excepted"),
    [
        ("", "ferry.example", False),
        ("*", "ferry.example", True),
        ("other,*", "ferry.example", True),
        ("ferry.example", "ferry.example", True),
        ("FERRY.Example", "ferry.example", True),
        ("ferry.example", "FERRY.EXAMPLE.", True),
        ("example", "ferry.example", True),
        (".example", "ferry.example", True),
        (".example", "example", True),
        ("erry.example", "ferry.example", False),
        ("*.example", "ferry.example", False),
        ("a.example, ferry.example", "ferry.example", True),
        ("a.example ferry.example", "ferry.example", True),
        ("ferry.example:5000", "ferry.example", True),
        ("ferry.example:80", "ferry.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1", "10.1.2.3", False),
        ("2001:db8::1", "2001:db8:0::1", True),
        ("[2001:db8::1]", "2001:db8::1", True),
        ("[2001:db8::1]:5000", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("10.0.0.0/99", "10.1.2.3", False),
    ],
)
def test_no_proxy_follows_curl(no_proxy: str, host: str, excepted: bool) -> None:
    assert bypasses_proxy(host, 5000, no_proxy) is excepted


@pytest.mark.parametrize(
    ("url", "proxies", "expected"),
    [
        (_REMOTE, {}, None),
        (_REMOTE, {"http": "http://p:1"}, "http://p:1"),
        (_REMOTE, {"http": " p:3128 "}, "http://p:3128"),
        (_REMOTE, {"https": "http://p:1"}, None),
        (_REMOTE, {"all": "socks5://p:1"}, "socks5://p:1"),
        (_REMOTE, {"http": "http://p:1", "all": "socks://q:2"}, "http://p:1"),
        (_REMOTE, {"http": "http://p:1", "no": "ferry.example"}, None),
        ("https://ferry.example", {"http": "http://p:1", "https": "http://q:2"}, "http://q:2"),
        ("http://127.0.0.1:5000", {"all": "nonsense://["}, None),
        ("http://[::1]:5000", {"http": "http://p:1"}, None),
        ("http://localhost:5000", {"http": "http://p:1"}, None),
        ("http://ferry.localhost", {"http": "http://p:1"}, None),
    ],
)
def test_the_variable_of_the_scheme_wins(url: str, proxies: dict[str, str], expected: str | None) -> None:
    proxy = proxy_for(url, proxies, {})

    assert (proxy and proxy.url) == expected


@pytest.mark.parametrize(
    "value",
    [
        "socks://127.0.0.1:7890",
        "socks4://127.0.0.1:7890",
        "ftp://127.0.0.1",
        "http://[::1",
        "http://proxy:port",
        "http://proxy:99999",
        "http://proxy:0",
        "http://",
        "http:///path",
        "http://a b",
        "http://a..b",
        f"http://{'a' * 64}.example",
        "://proxy",
        "http://pro\x01xy",
        "http://%zz",
    ],
)
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_malformed_proxy_raises_a_value_error_with_its_variable(
    variables: pytest.MonkeyPatch, name: str, value: str
) -> None:
    variables.setenv(name, value)

    with pytest.raises(ValueError, match=name) as caught:
        Ferry(_REMOTE)
    assert len(str(caught.value).splitlines()) == 1
    Ferry(_LOCAL).close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://name:secret@proxy:1/x", "http://proxy:1/x"),
        ("name:secret@proxy:1", "proxy:1"),
        ("http://name:sec@ret@proxy", "http://proxy"),
        ("http://proxy", "http://proxy"),
        ("http://name:sec/ret@[", "http://["),
    ],
)
def test_credentials_are_stripped(url: str, shown: str) -> None:
    assert strip_credentials(url) == shown


@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:7890", "socks://127.0.0.1:7890", "http://[", "http://127.0.0.1:1"]
)
def test_loopback_addresses_use_no_proxy(
    fake: FakeServer, shell: Shell, variables: pytest.MonkeyPatch, value: str
) -> None:
    variables.setenv("ALL_PROXY", value)
    variables.setenv("http_proxy", value)

    assert shell("ls", "--url", fake.url) == (0, "", "")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("value", "code", "reported"),
    [
        ("socks5://name:secret@127.0.0.1:7890", 2, "socksio"),
        ("socks://127.0.0.1:7890", 2, "socks5"),
        ("http://[::1", 2, "not the address of a proxy"),
        ("http://127.0.0.1:1", 1, "Connection refused"),
        ("http://no-such-proxy.invalid:1", 1, "no-such-proxy.invalid"),
    ],
)
def test_a_failed_proxy_is_reported_in_one_line(
    shell: Shell, variables: pytest.MonkeyPatch, value: str, code: int, reported: str
) -> None:
    variables.setenv("ALL_PROXY", value)
    ended, _, err = shell("ls", "--url", _REMOTE, "--retry-max-time", "0")

    assert (ended, err.count("\n")) == (code, 1), err
    assert "ALL_PROXY" in err
    assert reported in err
    assert "secret" not in err


@pytest.fixture
def proxied(fake: FakeServer, variables: pytest.MonkeyPatch) -> Iterator[Ferry]:
    """A client that uses the fake server as forward proxy for _REMOTE."""
    variables.setenv("http_proxy", fake.url)
    with Ferry(_REMOTE, max_retry_seconds=0) as ferry:
        yield ferry


def test_a_remote_server_is_reached_through_the_proxy(fake: FakeServer, proxied: Ferry) -> None:
    assert list(proxied.list()) == []
    assert fake.requests[0].headers["Host"] == "ferry.example:5000"


def test_a_response_of_the_proxy_names_it(fake: FakeServer, proxied: Ferry) -> None:
    fake.overrides = [lambda handler: handler.respond(407, b"<html>"), lambda handler: handler.respond(503, b"<html>")]

    with pytest.raises(FerryError, match="http_proxy=http://NAME:PASSWORD@HOST:PORT"):
        list(proxied.list())
    with pytest.raises(FerryError, match=f"through the proxy {fake.url} .http_proxy. answered 503"):
        list(proxied.list())


def test_a_refused_connect_is_not_retried(fake: FakeServer, variables: pytest.MonkeyPatch) -> None:
    variables.setenv("https_proxy", fake.url)
    fake.overrides = [respond_problem(403, "no")] * 2

    with (
        Ferry("https://ferry.example", max_retry_seconds=30) as ferry,
        pytest.raises(WrongAddress, match=r"https_proxy.*403"),
    ):
        list(ferry.list())
    assert len(fake.requests) == 1


def test_a_wrong_proxy_is_not_blamed_on_the_address(shell: Shell, variables: pytest.MonkeyPatch) -> None:
    variables.setenv("http_proxy", "http://127.0.0.1:1")
    code, _, err = shell("ls", "--url", _REMOTE)

    assert (code, err.count("\n")) == (1, 1)
    assert err.endswith("Correct or unset the variable, or name the server in no_proxy. (wrong-proxy)\n")
    assert "--url" not in err
