"""Addresses: what a client is counted under, however its address is written."""

from __future__ import annotations

import pytest

from server.addresses import is_loopback, network


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ('"192.0.2.7:4711"', "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:C000:0207", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:4711", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::5]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::5]:4711", "2001:db8:1:2::/64"),
        ('"[2001:db8:1:2::5]:4711"', "2001:db8:1:2::/64"),
        ("2001:db8:1:2::5%eth0", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::2%eth0", "fe80::2%eth0"),
        ("::1", "::/64"),
    ],
)
def test_an_address_is_counted_under_its_network(written: str, counted: str) -> None:
    assert network(written) == counted


@pytest.mark.parametrize(
    "written",
    ["", "x", "unknown", "_hidden", "192.0.2", "192.0.2.07", "192.0.2.7.8", "0x7f.1", "192.0.2.7:port", "[]", "[::1",
     "::1]", "2001:db8::1::", "192.0.2.7, 192.0.2.8", "9" * 8000],
)  # fmt: skip
def test_what_is_no_address_is_no_caller_of_its_own(written: str) -> None:
    assert network(written) == ""


@pytest.mark.parametrize(
    ("written", "local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("::2", False), ("192.0.2.7", False), ("::ffff:192.0.2.7", False),
        ("localhost", False), ("", False), ("127.1", False),
    ],
)  # fmt: skip
def test_only_loopback_addresses_are_of_this_machine(written: str, local: bool) -> None:
    assert is_loopback(written) is local
