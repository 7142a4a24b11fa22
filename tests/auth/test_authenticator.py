"""Which requests need an API key: by address, by proxy headers, by the existence of keys."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from auth import api_keys
from auth.authenticator import Authenticator, was_forwarded
from auth.key_cache import KeyCache
from problems import Unauthorized
from tests.auth.helpers import problem, upload
from tests.harness.clock import Clock


def test_before_the_first_key_local_clients_need_no_key(client: FlaskClient) -> None:
    assert upload(client, {}).status_code == 201


@pytest.mark.parametrize(
    ("host", "anonymous", "has_key", "status"),
    [
        ("127.0.0.1", "0", False, 201),
        ("127.0.0.1", "0", True, 401),
        ("127.0.0.1", "1", True, 201),
        ("0.0.0.0", "0", False, 401),
        ("0.0.0.0", "1", False, 201),
    ],
)
def test_anonymous_clients_are_accepted_by_host_setting_and_keys(
    app: Flask, settings: dict[str, str], host: str, anonymous: str, has_key: bool, status: int
) -> None:
    if has_key:
        api_keys.create("alice", ["read"], -1)

    client = create_app(settings | {"HOST": host, "ALLOW_ANONYMOUS": anonymous}).test_client()
    assert upload(client, {}).status_code == status


PROXY_HEADERS = (
    "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded",
    "X-Original-Forwarded-For", "X-Real-IP", "X-Client-IP", "Client-IP", "CF-Connecting-IP", "CF-Ray",
    "True-Client-IP", "X-Cluster-Client-IP", "Fly-Client-IP", "Fastly-Client-IP", "X-Azure-ClientIP",
    "X-Appengine-User-IP", "X-ProxyUser-Ip", "X-Originating-IP", "X-Remote-Addr", "X-Envoy-External-Address",
    "X-Original-URI", "CDN-Loop", "Cloudfront-Viewer-Address", "X-Amzn-Trace-Id",
)  # fmt: skip


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_a_forwarded_request_is_not_local(client: FlaskClient, header: str) -> None:
    for name in (header, header.lower()):
        assert problem(upload(client, {name: "192.0.2.7"})) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("headers", "protocol", "connection", "forwarded"),
    [
        (["Host", "User-Agent", "Accept"], "HTTP/1.1", None, False),
        (["Host", "Origin", "Referer", "Sec-Fetch-Site", "X-Request-Id", "X-Requested-With"], "HTTP/1.1", None, False),
        (["Authorization", "Idempotency-Key", "Last-Event-ID", "Content-Type", "Viable"], "HTTP/1.1", "close", False),
        (["Host"], "HTTP/1.0", None, False),
        (["Host"], "HTTP/1.0", "keep-alive", False),
        (["Host"], "HTTP/1.0", "close", True),
        (["Host", "X-Forwarded-Host"], "HTTP/1.1", None, True),
        ([], "", None, False),
    ],
)
def test_proxies_are_detected_by_headers_and_protocol(
    headers: list[str], protocol: str, connection: str | None, forwarded: bool
) -> None:
    assert was_forwarded(headers, protocol, connection) is forwarded


def test_a_request_through_nginx_with_default_settings_is_not_local(client: FlaskClient) -> None:
    """`proxy_pass http://127.0.0.1:5000;` and nothing else."""
    response = client.get("/files", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_CONNECTION": "close"})

    assert problem(response) == (401, "unauthorized")
    assert "proxy" in response.get_json()["detail"]
    page = client.get("/", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_CONNECTION": "close"})
    assert page.status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 401), ("2001:db8::1", 401), ("", 401)],
)
def test_only_loopback_addresses_are_local(client: FlaskClient, address: str, status: int) -> None:
    """Also with a `bind` of gunicorn's own instead of HOST."""
    assert client.get("/files", environ_overrides={"REMOTE_ADDR": address}).status_code == status


def test_a_revoked_key_and_the_first_key_are_noticed_within_seconds(app: Flask) -> None:
    clock = Clock(100)
    authenticator = Authenticator(KeyCache(clock))
    assert authenticator.authenticate(None, "127.0.0.1").owner is None
    token = api_keys.create("alice", ["read"], None)
    header = f"Bearer {token}"
    assert authenticator.authenticate(header, "").owner == "alice"
    api_keys.revoke(token.split("_")[1])
    clock.now += 5

    for authorization in (header, None):
        with pytest.raises(Unauthorized):
            authenticator.authenticate(authorization, "127.0.0.1")
