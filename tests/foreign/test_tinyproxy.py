"""All traffic to the storage uses the proxy of the environment, as boto3 does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.process import free_port
from tests.foreign import tinyproxy
from tests.harness.stack import MODES, Stack

pytestmark = pytest.mark.foreign

SMALL, LARGE = 1000, 9 << 20


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Stack]:
    """Ferry behind a proxy; `tmp_path / "proxy"` has its log."""
    port = free_port()
    settings = {"http_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""}
    with tinyproxy.start(tmp_path / "proxy", port) as proxy:
        proxy.wait_for(port)
        with Stack(tmp_path / "ferry", settings) as stack:
            yield stack


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_file_is_stored_through_the_proxy(proxied: Stack, tmp_path: Path, mode: str, size: int) -> None:
    answer = proxied.upload(mode, os.urandom(size))

    assert proxied.ended(answer.json()["id"])["status"] == "COMPLETE"
    wanted = {"PUT", "HEAD"} if size == SMALL else {"POST", "PUT", "HEAD"}
    assert wanted <= set(tinyproxy.requests_seen(tmp_path / "proxy"))


@pytest.fixture(params=["", "127.0.0.1"], ids=["proxied", "excepted"])
def cut_off(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stack, int]]:
    """Ferry with a proxy that is down, and the status that an upload must get."""
    settings = {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": request.param}
    with Stack(tmp_path, settings) as stack:
        yield stack, 201 if request.param else 503


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_proxy_that_is_down_is_bypassed_only_with_no_proxy(cut_off: tuple[Stack, int], size: int) -> None:
    stack, status = cut_off

    assert stack.upload("normal", os.urandom(size)).status_code == status
