"""Ferry behind nginx and HAProxy as in docs/running.md: no upload fails, links and addresses are correct."""

from __future__ import annotations

import http.client
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests
from ferry_client import Ferry, Mode

from dev import parts
from dev.polling import eventually
from dev.process import Process, free_port
from tests.fakes import FORM, form, part
from tests.foreign import fronts
from tests.harness.stack import Stack, printed
from tests.tls import Certificate, certificate

pytestmark = pytest.mark.foreign

Start = Callable[..., Process]
FRONTS = {"nginx": fronts.nginx, "haproxy": fronts.haproxy}
UPLOADS, AT_ONCE = 1000, 25
IDLE = {"nginx": fronts.NGINX_IDLE, "haproxy": fronts.HAPROXY_PURGE}
CLIENT_IDLE = {"nginx": fronts.NGINX_CLIENT_IDLE, "haproxy": fronts.HAPROXY_CLIENT_IDLE}
AROUND = (-0.1, -0.05, -0.01, 0, 0.01, 0.05, 0.1)
BODY = form(part("file", bytes(1000), "a.bin"))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    names = "subjectAltName=DNS:nas.local,IP:127.0.0.1,IP:::1"
    return certificate(tmp_path_factory.mktemp("certificate"), "nas.local", "-addext", names)


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Ferry with FORWARDED_HOPS=1."""
    settings = {
        "KEEPALIVE_TIMEOUT": str(fronts.FERRY_IDLE), "FORWARDED_HOPS": "1", "ALLOW_ANONYMOUS": "1",
        "TRUSTED_HOSTS": "nas.local,127.0.0.1,::1", "MAX_ATTEMPTS": "5",
    }  # fmt: skip
    with Stack(tmp_path_factory.mktemp("ferry"), settings) as stack:
        yield stack


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest, ferry: Stack, own: Certificate, tmp_path: Path) -> Iterator[str]:
    """The address of the proxy in front."""
    yield from _served(FRONTS[request.param], tmp_path, ferry.ports.web, own)


@pytest.fixture(params=FRONTS)
def under_a_path(request: pytest.FixtureRequest, ferry: Stack, own: Certificate, tmp_path: Path) -> Iterator[str]:
    for url in _served(FRONTS[request.param], tmp_path, ferry.ports.web, own, prefix=True):
        yield f"{url}/ferry"


def _served(start: Start, folder: Path, ferry: int, own: Certificate, **more: bool) -> Iterator[str]:
    port = free_port()
    with start(folder / "front", port, ferry, own, **more) as process:
        process.wait_for(port)
        yield f"https://127.0.0.1:{port}"


def upload(url: str, own: Certificate, mode: str = "normal", **headers: str) -> requests.Response:
    headers = {"Content-Type": FORM, **headers}
    return requests.post(f"{url}/{mode}_upload", data=BODY, headers=headers, timeout=30, verify=str(own.cert))


def test_no_upload_fails_after_any_pause(
    front: str, ferry: Stack, own: Certificate, request: pytest.FixtureRequest
) -> None:
    """Bursts on connections that were idle for about as long as either side keeps them."""
    idle = IDLE[request.node.callspec.params["front"]]
    pauses = cycle([each + step for each in (idle, fronts.FERRY_IDLE) for step in AROUND])
    before, modes = len(ferry.objects()), cycle(("async", "normal"))
    answers: Counter[tuple[str, int]] = Counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(UPLOADS // AT_ONCE):
            mode = next(modes)
            found = [pool.submit(upload, front, own, mode) for _ in range(AT_ONCE)]
            answers.update((mode, each.result().status_code) for each in found)
            time.sleep(next(pauses))

    assert answers == {("async", 202): UPLOADS // 2, ("normal", 201): UPLOADS // 2}
    assert eventually(lambda: len(ferry.objects()) == before + UPLOADS, seconds=60)


def test_no_upload_of_the_client_fails_after_any_pause(
    front: str, ferry: Stack, own: Certificate, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bursts on connections that were idle for about as long as the proxy keeps a client's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own.cert))
    idle, before = CLIENT_IDLE[request.node.callspec.params["front"]], len(ferry.objects())
    mode: Mode
    with Ferry(front, max_retry_seconds=10) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        for mode, step in zip(cycle(("async", "normal")), AROUND):
            sent = [pool.submit(client.upload, BytesIO(bytes(1000)), mode=mode, name="a.bin") for _ in range(AT_ONCE)]
            assert len({each.result().id for each in sent}) == AT_ONCE
            time.sleep(idle + step)

    assert eventually(lambda: len(ferry.objects()) == before + AT_ONCE * len(AROUND), seconds=60)


def test_a_connection_is_used_again(front: str, ferry: Stack, own: Certificate) -> None:
    """The tests of pauses require reused connections."""
    for _ in range(10):
        assert upload(front, own).status_code == 201

    assert len(_connections(ferry)) <= 2


def _connections(ferry: Stack) -> list[str]:
    """The client addresses of the established connections to Ferry."""
    port = f"{ferry.ports.web:04X}"
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[2] for row in rows if row[1].endswith(f":{port}") and row[3] == "01"]


@pytest.mark.parametrize("name", ["127.0.0.1", "nas.local"])
def test_the_form_of_the_page_works_on_any_port(front: str, own: Certificate, name: str) -> None:
    """An older browser sends Origin with the port, and no Sec-Fetch-Site."""
    port = front.rpartition(":")[2]
    sent = {"Host": f"{name}:{port}"}

    assert upload(front, own, Origin=f"https://{name}:{port}", **sent).status_code == 201
    refused = upload(front, own, Origin=f"https://{name}:{int(port) + 1}", **sent)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/cross-site-request")
    assert f'Host "{name}:{port}"' in refused.json()["detail"]


def test_an_untrusted_host_is_named_in_the_refusal(front: str, own: Certificate) -> None:
    refused = upload(front, own, Host="evil.example")

    assert refused.status_code == 400
    assert '"evil.example"' in refused.json()["detail"]


def test_the_address_and_scheme_of_the_client_are_known(front: str, ferry: Stack, own: Certificate) -> None:
    context = ssl.create_default_context(cafile=str(own.cert))
    port, path = int(front.rpartition(":")[2]), f"/missing-{time.monotonic_ns()}"
    client = http.client.HTTPSConnection(
        "127.0.0.1", port, context=context, source_address=("127.0.0.9", 0), timeout=10
    )
    client.request("GET", path, headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Prefix": "/evil"})
    answer = client.getresponse()
    problem = answer.read().decode()
    client.close()

    assert answer.getheader("Strict-Transport-Security")
    assert f'"instance": "{path}"' in problem
    assert eventually(lambda: f'127.0.0.9 "GET {path}" 404' in printed(ferry.running["web"]))


def test_all_links_are_below_the_path_of_the_proxy(under_a_path: str, own: Certificate) -> None:
    def get(url: str, **headers: str) -> requests.Response:
        return requests.get(url, headers=headers, timeout=30, verify=str(own.cert))

    site = under_a_path.removesuffix("/ferry")
    uploaded = upload(under_a_path, own, Origin=site)
    assert uploaded.status_code == 201
    file: Any = get(site + uploaded.headers["Location"]).json()
    assert file["status"] == "COMPLETE"
    assert get(site + file["links"]["content"]).content == bytes(1000)
    missing = get(f"{under_a_path}/nothing").json()
    assert (missing["type"], missing["instance"]) == ("/ferry/problems/not-found", "/ferry/nothing")
    assert get(site + missing["type"]).status_code == 200
    page = get(f"{under_a_path}/", Accept="text/html").text
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
    assert len(addresses) >= 3
    assert {get(site + address).status_code for address in addresses} <= {200, 405}


@pytest.fixture
def on_ipv6(ferry: Stack, tmp_path: Path) -> Iterator[int]:
    """The port of a web service that listens on [::1]; `tmp_path / "web.log"` is its log."""
    port = free_port()
    with parts.web(ferry.env | {"HOST": "::1", "PORT": str(port)}, tmp_path / "web.log") as process:
        process.wait_for(port, host="::1")
        yield port


def test_clients_haproxy_and_ferry_speak_ipv6(on_ipv6: int, own: Certificate, tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for front in _served(fronts.haproxy, tmp_path, on_ipv6, own, ipv6=True):
        url = front.replace("127.0.0.1", "[::1]")

        assert upload(url, own, Origin=url).status_code == 201
        assert eventually(lambda: '::1 "POST /normal_upload" 201' in log.read_text())
        assert upload(front, own, Origin=front).status_code == 201
        assert eventually(lambda: '127.0.0.1 "POST /normal_upload" 201' in log.read_text())


def test_ferry_ends_a_connection_that_was_idle_for_keepalive(ferry: Stack) -> None:
    client = http.client.HTTPConnection("127.0.0.1", ferry.ports.web, timeout=10)
    client.request("GET", "/healthz")
    client.getresponse().read()
    assert client.sock
    began = time.monotonic()

    assert client.sock.recv(1) == b""
    assert fronts.FERRY_IDLE - 0.1 < time.monotonic() - began < fronts.FERRY_IDLE + 2
    client.close()
