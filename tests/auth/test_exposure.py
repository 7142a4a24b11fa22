"""Ferry refuses to start where anonymous clients could reach it, and keys created beside it take effect."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from auth import api_keys
from auth.exposure import check_exposure
from config import ConfigError
from dev import parts
from dev.polling import eventually
from dev.process import free_port
from tests.fakes import FORM, form, part
from tests.harness.raw_client import RawClient, get

BODY = {"data": form(part("file", b"x", "a.txt")), "timeout": 10}


@pytest.fixture
def env(tmp_path: Path, settings: dict[str, str]) -> dict[str, str]:
    """The environment of a service that stores objects in memory."""
    return settings | {"PORT": str(free_port()), "WEB_WORKERS": "1", "FLASK_APP": "app", "PATH": os.environ["PATH"]}


@pytest.fixture
def url(env: dict[str, str], tmp_path: Path) -> Iterator[str]:
    with parts.web(env, tmp_path / "web.log") as web:
        web.wait_for(int(env["PORT"]))
        yield f"http://127.0.0.1:{env['PORT']}"


def flask(env: dict[str, str], *args: str) -> str:
    argv = [str(parts.BIN / "flask"), *args]
    return subprocess.run(argv, env=env, cwd=parts.ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def gunicorn(env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    argv = [str(parts.BIN / "gunicorn"), "-c", "gunicorn.conf.py", *args, "app:create_app()"]
    return subprocess.run(argv, env=env, cwd=parts.ROOT, capture_output=True, text=True, timeout=30)


def test_a_service_on_a_unix_socket_refuses_to_start_without_a_key(env: dict[str, str], tmp_path: Path) -> None:
    refused = gunicorn(env, "--bind", f"unix:{tmp_path}/ferry.sock")

    assert refused.returncode != 0
    assert "no API key exists" in refused.stderr
    assert "flask keys create" in refused.stderr


@pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_host_may_be_an_ipv6_address(env: dict[str, str], tmp_path: Path) -> None:
    """`::` accepts IPv4 clients too, each under its own address."""
    address = f"http://[::1]:{env['PORT']}/healthz"
    env |= {"HOST": "::", "ALLOW_ANONYMOUS": "1", "REQUEST_RATE_LIMIT": "1/day"}
    with parts.web(env, tmp_path / "web.log") as web:
        web.wait_for(int(env["PORT"]))
        assert requests.get(address, timeout=10).status_code == 200
        statuses = {source: two_requests_from(source, int(env["PORT"])) for source in ("127.0.6.1", "127.0.6.2")}

    assert statuses == {"127.0.6.1": [200, 429], "127.0.6.2": [200, 429]}


def two_requests_from(source: str, port: int) -> list[int]:
    """Their statuses."""
    statuses = []
    for _ in range(2):
        with RawClient(port, source=source) as client:
            client.send(get("/files"))
            statuses.append(client.reply().status)
    return statuses


def test_a_service_starts_with_allow_anonymous_and_logs_it(env: dict[str, str], tmp_path: Path) -> None:
    on_a_socket = ["--bind", f"unix:{tmp_path}/s"]
    with parts.web(env | {"ALLOW_ANONYMOUS": "1"}, tmp_path / "web.log", options=on_a_socket) as web:
        web.wait_for_log(b"auth.anonymous_allowed: ALLOW_ANONYMOUS=1")


def test_the_first_key_ends_anonymous_access_and_a_revoked_one_is_refused(env: dict[str, str], url: str) -> None:
    headers = {"Content-Type": FORM}
    assert requests.post(f"{url}/normal_upload", headers=headers, **BODY).status_code == 201

    token = flask(env, "keys", "create", "--owner", "alice").strip()
    key = headers | {"Authorization": f"Bearer {token}"}
    uploaded = requests.post(f"{url}/normal_upload", headers=key, **BODY)
    assert uploaded.status_code == 201
    assert requests.get(url + uploaded.headers["Location"], headers=key, timeout=10).status_code == 200
    flask(env, "keys", "revoke", token.split("_")[1])

    # A process caches keys for some seconds.
    for refused in (key, headers):
        assert eventually(lambda h=refused: requests.post(f"{url}/normal_upload", headers=h, **BODY).status_code == 401)


@pytest.mark.parametrize("address", [("0.0.0.0", 5000), ("::", 5000, 0, 0), ("192.0.2.7", 80), "/run/ferry.sock"])
def test_an_exposed_service_needs_a_key_or_allow_anonymous(
    app: Flask, settings: dict[str, str], address: object
) -> None:
    with pytest.raises(ConfigError, match="flask keys create"):
        check_exposure(app, [("127.0.0.1", 5000), address])

    check_exposure(create_app(settings | {"ALLOW_ANONYMOUS": "1"}), [address])
    api_keys.create("alice", ["read"], None)
    check_exposure(app, [address])


def test_a_service_on_loopback_needs_no_key(app: Flask) -> None:
    check_exposure(app, [("127.0.0.1", 5000), ("::1", 5000, 0, 0), ("::ffff:127.0.0.1", 5000, 0, 0)])
