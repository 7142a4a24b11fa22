"""The rate limit of all transfers of a client."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ferry_client import Ferry
from ferry_client.cli.exit_codes import ExitCode
from ferry_client.cli.uploads import MIN_UPLOAD_RATE
from ferry_client.rate_limit import RateLimit
from ferry_client.request_body import RequestBody

from config import Config
from tests.client.conftest import Shell
from tests.client.fake_server import FakeServer
from tests.harness.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_acquire_keeps_the_rate(clock: Clock) -> None:
    limit = RateLimit(1000, clock=clock, sleep=clock.sleep)
    for _ in range(20):
        limit.acquire(500)

    assert clock.now == pytest.approx(10)


def test_transfers_share_the_rate(clock: Clock) -> None:
    """Two threads in turn, neither asleep while the other acquires."""
    pauses: list[float] = []
    limit = RateLimit(1000, clock=clock, sleep=pauses.append)
    for _ in range(4):
        limit.acquire(500)

    assert pauses == [0.5, 1.0, 1.5, 2.0]


def test_idle_time_allows_a_burst_of_a_quarter_second(clock: Clock) -> None:
    limit = RateLimit(1000, clock=clock, sleep=clock.sleep)
    clock.now = 100
    limit.acquire(250)
    assert clock.now == 100
    limit.acquire(250)
    assert clock.now == pytest.approx(100.25)


@pytest.mark.parametrize(("rate", "piece"), [(1, 1024), (80_000, 10_000), (1e9, 1 << 20)])
def test_chunk_bytes_follow_the_rate(rate: float, piece: int) -> None:
    assert RateLimit(rate).chunk_bytes == piece


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Ferry("http://127.0.0.1:5000", limit_rate=rate)


def test_a_small_body_is_rate_limited(clock: Clock) -> None:
    limit = RateLimit(8192, clock=clock, sleep=clock.sleep)
    body = RequestBody(io.BytesIO(b"x" * 4096), "a", None, None, limit)

    assert [len(piece) for piece in body.content()] == [1024] * 4  # type: ignore[arg-type]
    assert clock.now == pytest.approx(0.5)


def test_uploads_and_downloads_are_rate_limited(
    fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquired: list[int] = []
    monkeypatch.setattr(RateLimit, "acquire", lambda _, size: acquired.append(size))
    with Ferry(fake.url, limit_rate=1 << 20) as ferry:
        file = ferry.upload(io.BytesIO(b"x" * 300_000), name="a")
        sent = list(acquired)
        ferry.download(file, tmp_path / "a")
        ferry.download_into(file, io.BytesIO())

    assert (sent, sum(acquired)) == ([131_072, 131_072, 37_856], 900_000)


def test_an_upload_rate_below_the_servers_minimum_is_wrong_usage(fake: FakeServer, shell: Shell) -> None:
    """Only request bodies have a minimum rate; downloads have none."""
    (code, _, err), (slow, _, _) = (
        shell("upload", __file__, "--limit-rate", rate, "--url", fake.url) for rate in ("9999", "10k")
    )
    assert (code, slow, "at least 10k" in err) == (ExitCode.USAGE, ExitCode.OK, True)
    assert shell("download", fake.add(b"x"), "--to", "-", "--limit-rate", "1", "--url", fake.url)[0] == ExitCode.OK
    assert Config.from_env({}).min_upload_rate == MIN_UPLOAD_RATE
