"""Which proxy the environment names for a server, by the rules of curl. Pure rules."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True)
class Proxy:
    """`url` may hold a password; `source` is the variable that names it. Its text is for people and holds none."""

    url: str
    source: str

    def __str__(self) -> str:
        return f"{without_credentials(self.url)} ({self.source})"

    @property
    def scheme(self) -> str:
        """In lower case."""
        return urlsplit(self.url).scheme


def proxy_for(url: str, proxies: Mapping[str, str], environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for requests to `url`, None where they go straight there.

    `proxies` is what urllib.request.getproxies() returns: by scheme, `all` for any, `no` for the exceptions; `environ`
    only gives a variable its name in errors. An address of this machine never has a proxy: it would mean the proxy's
    own machine. Raises ValueError, in one line that names the variable, for a proxy that no client could use.
    """
    server = urlsplit(url)
    host, port = server.hostname or "", server.port or {"http": 80, "https": 443}[server.scheme]
    key = server.scheme if proxies.get(server.scheme) else "all"
    value = proxies.get(key, "").strip()
    if not value or is_loopback(host) or is_excepted(host, port, proxies.get("no", "")):
        return None
    proxy = Proxy(value if "://" in value else f"http://{value}", _source(key, environ))
    _check(proxy)
    return proxy


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: 127.0.0.0/8 and ::1 in any spelling, localhost and *.localhost (RFC 6761)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and mapped.is_loopback


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, as curl reads it (CURLOPT_NOPROXY).

    Entries are separated by commas or blanks. `*` is every host; a name is itself and its subdomains, with a dot before
    it or without; an address is itself, also as a network (10.0.0.0/8). An entry with a port (also httpx's) is for that
    port alone.
    """
    name = host.strip("[]").rstrip(".").lower()
    return any(_names(entry.lower(), name, port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if found := re.fullmatch(r"(\[[^\]]*\]|[^:]+):([0-9]+)", entry):
        entry, only = found[1], int(found[2])
        if only != port:
            return False
    entry, address = entry.replace("[", "").replace("]", ""), _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    entry = entry.strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Also for the short forms that connect() takes: 127.1, 0x7f000001."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _source(key: str, environ: Mapping[str, str]) -> str:
    names = (f"{key}_proxy", f"{key}_PROXY", f"{key.upper()}_PROXY")
    return next((name for name in names if environ.get(name)), "the system's proxy settings")


def _check(proxy: Proxy) -> None:
    try:
        parts = urlsplit(proxy.url)
        usable = is_server(parts)
    except ValueError:  # A port that is no number, a bracket that stays open.
        parts, usable = SplitResult("", "", "", "", ""), False
    if usable and parts.scheme not in _SCHEMES:
        raise ValueError(f"{proxy}: {parts.scheme}:// is no proxy that can be used here: {', '.join(_SCHEMES)}")
    if not usable:
        raise ValueError(f"{proxy} is not the address of a proxy, such as http://proxy.example:3128")


def is_server(parts: SplitResult) -> bool:
    """Whether an address has a host that can be looked up, and a port. Raises ValueError for a malformed port."""
    host = parts.hostname or ""
    if not host or parts.port == 0 or re.search(r"[\s\x00-\x20\x7f%*\\]", parts.netloc.rpartition("@")[2]):
        return False
    try:
        return bool(host if ":" in host else host.removesuffix(".").encode("idna"))
    except UnicodeError:  # A label that is empty or longer than 63 bytes: getaddrinfo() takes neither.
        return False


def without_credentials(url: str) -> str:
    """An address without name and password, also one that is malformed."""
    return re.sub(r"\A([A-Za-z][A-Za-z0-9+.-]*://)?(?:.*@)?", r"\1", url, count=1, flags=re.DOTALL)
