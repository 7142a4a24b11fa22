"""Client addresses: parsed in any notation, counted by network, displayed in one form."""

from __future__ import annotations

import pytest

from server.addresses import canonical, format_address, is_loopback, network, peer_address


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_an_address_is_counted_under_its_network(text: str, expected: str) -> None:
    assert network(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "unknown", "_hidden", "192.0.2", "192.0.2.07", "192.0.2.7.8", "0x7f.1", "192.0.2.7:port", "[]", "[::1",
     "::1]", "2001:db8::1::", "192.0.2.7, 192.0.2.8", "9" * 8000],
)  # fmt: skip
def test_malformed_addresses_share_one_network(text: str) -> None:
    assert network(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("::2", False), ("192.0.2.7", False), ("::ffff:192.0.2.7", False),
        ("localhost", False), ("", False), ("127.1", False),
    ],
)  # fmt: skip
def test_loopback_addresses(text: str, expected: bool) -> None:
    assert is_loopback(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("", ""),
        ("unknown", "unknown"),
        ("_hidden", "unknown"),
        ("<script>\n", "unknown"),
    ],
)
def test_canonical_form_of_an_address(text: str, expected: str) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("::ffff:192.0.2.7", 4711, 0, 0), "192.0.2.7"),
        (("2001:db8::1", 4711, 0, 0), "2001:db8::1"),
        (("192.0.2.7", 4711), "192.0.2.7"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_ipv4_client_of_an_ipv6_socket_has_its_ipv4_address(peer: object, address: str) -> None:
    assert peer_address(peer) == address


@pytest.mark.parametrize(
    ("sockname", "expected"),
    [
        (("::", 5000, 0, 0), "[::]:5000"),
        (("0.0.0.0", 5000), "0.0.0.0:5000"),
        ("/run/ferry.sock", "/run/ferry.sock"),
    ],
)
def test_a_socket_name_is_formatted_as_in_a_url(sockname: object, expected: str) -> None:
    assert format_address(sockname) == expected
