"""Values that are derived from settings."""

from __future__ import annotations

import pytest

from config import Config


@pytest.mark.parametrize(
    ("grace", "interval"), [("24h", 600), ("100d", 600), ("3000", 600), ("100", 20), ("5", 1), ("1", 1)]
)
def test_multipart_uploads_are_listed_several_times_per_grace(grace: str, interval: int) -> None:
    assert Config.from_env({"ORPHAN_GRACE": grace}).multipart_sweep_interval == interval


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("LOCALHOST", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("ferry.example.com", False),
        ("localhost.example.com", False), ("::ffff:127.0.0.1", True), ("::ffff:7f00:1", True),
        ("::ffff:192.0.2.7", False), ("0:0:0:0:0:0:0:1", True), ("[::1]", True), ("[::]", False),
    ],
)  # fmt: skip
def test_a_loopback_host_is_recognised(host: str, local: bool) -> None:
    assert Config.from_env({"HOST": host}).is_loopback is local


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("127.0.0.1", "127.0.0.1:5000"),
        ("ferry.example.com", "ferry.example.com:5000"),
        ("::", "[::]:5000"),
        ("::1", "[::1]:5000"),
        ("[::1]", "[::1]:5000"),
        ("2001:DB8:0:0::1", "[2001:db8::1]:5000"),
    ],
)
def test_an_ipv6_host_is_bound_in_brackets(host: str, bind: str) -> None:
    assert Config.from_env({"HOST": host}).bind == bind


@pytest.mark.parametrize(
    ("threads", "requested", "granted"),
    [(16, 13, 13), (16, 14, 14), (16, 15, 14), (64, 100, 56), (8, 8, 7), (4, 4, 3), (2, 5, 1), (1, 1, 1), (16, 1, 1)],
)
def test_a_key_never_gets_the_last_eighth_of_the_threads(threads: int, requested: int, granted: int) -> None:
    assert Config.from_env({"WEB_THREADS": str(threads)}).key_max_transfers(requested) == granted
