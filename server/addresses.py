"""IP addresses of clients, in the notations of sockets and proxies. Pure rules."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_NOTATION = re.compile(r'"?(?:\[(?P<ipv6>[^\]]*)\](?::\d{1,5})?|(?P<ipv4>[0-9.]+):\d{1,5}|(?P<bare>[^"\[\]]*))"?')
"""An address alone, with a port, or in brackets: proxies write all of these into X-Forwarded-For."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse(text: str) -> Address | None:
    """The address in `text`; None if it is malformed.

    An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), and one with the well-known prefix of translators (RFC 6052 §2.1),
    is returned as IPv4.
    """
    match = _NOTATION.fullmatch(text.strip())
    if match is None:
        return None
    try:
        ip = ipaddress.ip_address(match["ipv6"] or match["ipv4"] or match["bare"] or "")
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(ip.packed[-4:])
        return ip.ipv4_mapped or ip
    return ip


@lru_cache(1024)
def network(text: str) -> str:
    """The key under which a client's requests are counted: the IPv4 address or the IPv6 /64, one customer's share.

    A link-local address is its own key: its /64 is a whole network. All malformed addresses share the empty key.
    """
    ip = parse(text)
    if isinstance(ip, ipaddress.IPv6Address) and not ip.is_link_local:
        return str(ipaddress.ip_network((ip.packed, 64), strict=False))
    return "" if ip is None else str(ip)


def is_loopback(text: str) -> bool:
    """Whether it is a loopback address."""
    ip = parse(text)
    return ip is not None and ip.is_loopback


def canonical(text: str) -> str:
    """The address in canonical form, IPv6 by RFC 5952, without port and brackets.

    Empty text, such as a Unix socket's, stays empty. Anything else becomes `unknown`: proxies write that word, or a
    name that starts with an underscore, to hide a client (RFC 7239 §6.2, §6.3).
    """
    return str(parse(text) or "unknown") if text else ""


def peer_address(peer: object) -> str:
    """The address in a socket's peer name; empty for a Unix socket."""
    return canonical(str(peer[0])) if isinstance(peer, tuple) else ""


def format_address(sockname: object) -> str:
    """A socket name to display: address and port, IPv6 in brackets (RFC 3986 §3.2.2), or the path of a Unix socket."""
    if not isinstance(sockname, tuple):
        return str(sockname)
    host, port = sockname[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
