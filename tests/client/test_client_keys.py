"""API keys: sent in a header, validated before a request, never shown."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from ferry_client import Ferry, FerryError

from tests.client.conftest import Run, environment
from tests.client.fake_server import FakeServer

KEY = "ferry_0123456789ab_secret"


@pytest.mark.parametrize("sent", [KEY, f"{KEY}\n", f"{KEY}\r\n", f"  {KEY}\t"])
def test_white_space_around_a_key_is_removed(fake: FakeServer, sent: str) -> None:
    with Ferry(fake.url, sent) as ferry:
        ferry.upload(io.BytesIO(b"x"), name="a")

    assert fake.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("none", [None, "", "\n"])
def test_an_empty_key_sends_no_header(fake: FakeServer, none: str | None) -> None:
    with Ferry(fake.url, none) as ferry:
        list(ferry.list())

    assert "Authorization" not in fake.requests[0].headers


@pytest.mark.parametrize("between", ["\n", "\r", "\0", " ", "\x7f", "ä", "\u2028", "\udcff"])
def test_a_malformed_key_is_rejected_and_not_shown(between: str) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        Ferry("http://127.0.0.1:5000", f"{KEY}{between}more")
    assert KEY not in str(raised.value)
    assert "more" not in str(raised.value)


def test_a_malformed_key_is_reported_in_one_line(fake: FakeServer, run: Run) -> None:
    ran = run(fake.url, "--key", f"{KEY}\nmore", "ls")

    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert KEY not in ran.stderr
    assert fake.requests == []


def test_a_key_with_a_line_end_works(fake: FakeServer) -> None:
    env = environment() | {"FERRY_URL": fake.url, "FERRY_KEY": f"{KEY}\n"}
    subprocess.run([sys.executable, "-m", "ferry_client", "ls"], env=env, check=True, timeout=60)

    assert fake.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_an_invalid_header_is_not_retried(ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferry_client.retries.time.sleep", pytest.fail)

    with pytest.raises(FerryError) as raised:
        ferry.upload(io.BytesIO(b"x"), name="a", content_type="text/plain\nX-Key: secret")
    assert raised.value.slug == "unsendable"
    assert "secret" not in str(raised.value)
