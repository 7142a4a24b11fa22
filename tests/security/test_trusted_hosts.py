"""Accepted host names and trusted proxies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from app import create_app
from config import Config
from dev import parts
from dev.process import free_port
from security.trusted_hosts import is_trusted, trusted_names
from tests.harness.raw_client import RawClient, post

LOCAL = ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    ("env", "names"),
    [
        ({}, LOCAL),
        ({"HOST": "::1"}, LOCAL),
        ({"HOST": "localhost"}, LOCAL),
        ({"HOST": "127.0.0.5"}, (*LOCAL, "127.0.0.5")),
        ({"HOST": "0.0.0.0"}, ()),
        ({"HOST": "0.0.0.0", "TRUSTED_HOSTS": "a.example"}, ("a.example",)),
        ({"TRUSTED_HOSTS": "a.example,b.example"}, ("a.example", "b.example")),
    ],
)
def test_a_loopback_service_accepts_local_names_only(env: dict[str, str], names: tuple[str, ...]) -> None:
    assert trusted_names(Config.from_env(env)) == names


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5000", "127.0.0.1", "127.0.0.1:5000", "[::1]:5000", "[::1]"])
def test_local_names_are_trusted_with_any_port(host: str) -> None:
    assert is_trusted(host, LOCAL)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "127.0.0.2",
             "localhost:x", "localhost@evil.example", "[::1", "[::2]", "localhost,evil.example", "localhost\n"],
)  # fmt: skip
def test_other_names_are_not_trusted(host: str) -> None:
    assert not is_trusted(host, LOCAL)
    assert is_trusted(host, ())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("[2001:db8::1]", True), ("[2001:DB8:0:0::1]:8080", True), ("[2001:db8::2]", False), ("2001:db8::1", False),
        ("[2001:db8::1", False), ("[::]", False), ("[1:2]", False), ("[unknown]", False),
    ],
)  # fmt: skip
def test_an_ipv6_address_is_trusted_in_any_spelling(host: str, expected: bool) -> None:
    assert is_trusted(host, trusted_names(Config.from_env({"TRUSTED_HOSTS": "2001:db8:0::1"}))) is expected


@pytest.mark.parametrize("setting", ["TRUSTED_HOSTS", "HOST"])
def test_an_ipv4_mapped_address_is_trusted_in_any_spelling(setting: str) -> None:
    names = trusted_names(Config.from_env({setting: "::ffff:127.0.0.9"}))

    assert [is_trusted(host, names) for host in ("[::ffff:7f00:9]:80", "[::ffff:127.0.0.9]")] == [True, True]
    assert not is_trusted("[::ffff:7f00:8]", names)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("ferry.example.com:8443", '"ferry.example.com:8443"'),
        ("evil\tname<b>\x1b", '"evil?name<b>?"'),
        ("x" * 3000, f'"{"x" * 100}…"'),
    ],
    ids=["port", "control", "long"],
)
def test_a_refusal_names_the_host_and_the_setting(client: FlaskClient, host: str, shown: str) -> None:
    response = client.get("/", headers={"Host": host})

    assert (response.status_code, response.get_json()["type"]) == (400, "/problems/untrusted-host")
    assert f"host {shown}. The operator can add it to the setting TRUSTED_HOSTS." in response.get_json()["detail"]


def test_dns_rebinding_is_refused(client: FlaskClient) -> None:
    """To the browser it is one site, so that neither the CSRF check nor CORS helps."""
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:5000"}
    response = client.get("/files", base_url="http://evil.example:5000", headers=headers)

    assert (response.status_code, response.get_json()["type"]) == (400, "/problems/untrusted-host")


@pytest.mark.parametrize("path", ["/healthz", "/healthz/ready"])
def test_health_checks_accept_any_name(client: FlaskClient, path: str) -> None:
    assert client.get(path, base_url="http://10.0.0.7:5000").status_code == 200


def test_without_forwarded_hops_no_proxy_is_trusted(client: FlaskClient) -> None:
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "192.0.2.7"}
    response = client.get("/", headers=forged)

    assert response.status_code == 200
    assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize(
    ("hops", "sent", "status"),
    [
        ("1", "ferry.example.com", 200),
        ("1", "evil.example, ferry.example.com", 200),
        ("1", "ferry.example.com, evil.example", 400),
        ("2", "ferry.example.com, inner.example.com", 200),
        ("2", "evil.example, ferry.example.com, inner.example.com", 200),
    ],
)
def test_only_values_of_the_counted_proxies_are_trusted(
    settings: dict[str, str], hops: str, sent: str, status: int
) -> None:
    app = create_app(settings | {"FORWARDED_HOPS": hops, "TRUSTED_HOSTS": "ferry.example.com"})

    assert app.test_client().get("/", headers={"X-Forwarded-Host": sent}).status_code == status


class TestGunicorn:
    """gunicorn by default trusts X-Forwarded-* from this machine, where proxies and other users send requests too."""

    @pytest.fixture
    def url(self, request: pytest.FixtureRequest, settings: dict[str, str], tmp_path: Path) -> Iterator[str]:
        port = free_port()
        env = settings | {"PORT": str(port), "WEB_WORKERS": "1", "LOG_FORMAT": "text", "FORWARDED_HOPS": request.param}
        with parts.web(env, tmp_path / "web.log") as web:
            web.wait_for(port)
            yield f"http://127.0.0.1:{port}"

    @pytest.mark.parametrize("url", ["0"], indirect=True)
    def test_it_trusts_no_header_by_default(self, url: str, tmp_path: Path) -> None:
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off", "X-Forwarded-For": "192.0.2.7"}
        response = requests.get(f"{url}/nothing", headers={**forged, "SCRIPT_NAME": "/evil"}, timeout=10)

        assert (response.status_code, response.json()["instance"]) == (404, "/nothing")
        assert "Strict-Transport-Security" not in response.headers
        assert "192.0.2.7" not in (tmp_path / "web.log").read_text()

    @pytest.mark.parametrize("url", ["1"], indirect=True)
    def test_the_counted_proxy_is_trusted(self, url: str) -> None:
        response = requests.get(f"{url}/nothing", headers={"X-Forwarded-Proto": "https"}, timeout=10)

        assert "Strict-Transport-Security" in response.headers

    @pytest.mark.parametrize("url", ["0"], indirect=True)
    def test_another_site_is_refused_before_its_body_arrives(self, url: str) -> None:
        with RawClient(int(url.rpartition(":")[2])) as client:
            client.send(post("/normal_upload", b"", "Origin: https://evil.example", length=9))

            assert client.reply().status == 403
