"""IP addresses of clients, as a socket or a proxy writes them. Pure rules."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_WRITTEN = re.compile(r'"?(?:\[(?P<six>[^\]]*)\](?::\d{1,5})?|(?P<four>[0-9.]+):\d{1,5}|(?P<bare>[^"\[\]]*))"?')
"""An address by itself, with a port, or in brackets: some proxies write all of these into X-Forwarded-For."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse(written: str) -> Address | None:
    """The address that `written` means; None where it means none.

    An IPv4 client of an IPv6 socket is that IPv4 address (RFC 4291 §2.5.5.2), one behind the well-known prefix of
    translators (RFC 6052 §2.1) too.
    """
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        return None
    try:
        ip = ipaddress.ip_address(match["six"] or match["four"] or match["bare"] or "")
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(ip.packed[-4:])
        return ip.ipv4_mapped or ip
    return ip


@lru_cache(1024)
def network(written: str) -> str:
    """What a client's address is counted under: of IPv6 its /64, because that is what one customer has.

    Link-local addresses are counted one by one: their /64 is a whole network. All that is no address is one client.
    """
    ip = parse(written)
    if isinstance(ip, ipaddress.IPv6Address) and not ip.is_link_local:
        return str(ipaddress.ip_network((ip.packed, 64), strict=False))
    return "" if ip is None else str(ip)


def is_loopback(written: str) -> bool:
    """Whether only this machine has the address."""
    ip = parse(written)
    return ip is not None and ip.is_loopback


def canonical(written: str) -> str:
    """The address in its usual form: IPv4 as itself, IPv6 in its shortest form (RFC 5952), without port and brackets.

    Empty for an empty one, such as a Unix socket's. Anything else that is no address is `unknown`: proxies write that
    word, or a name that starts with an underscore, to hide a client (RFC 7239 §6.2, §6.3).
    """
    return str(parse(written) or "unknown") if written else ""


def peer_address(peer: object) -> str:
    """The address in what a socket says of its other end; empty for a Unix socket's."""
    return canonical(str(peer[0])) if isinstance(peer, tuple) else ""


def format_address(name: object) -> str:
    """A socket's own name for people: address and port, IPv6 in brackets (RFC 3986 §3.2.2), or a Unix socket's path."""
    if not isinstance(name, tuple):
        return str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
