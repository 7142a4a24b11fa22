"""Select the proxy for a server from the environment, by curl's rules. Pure rules."""

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
    """A proxy. str() is for messages and contains no credentials."""

    url: str
    """May contain credentials."""
    source: str
    """The environment variable that names it."""

    def __str__(self) -> str:
        return f"{strip_credentials(self.url)} ({self.source})"

    @property
    def scheme(self) -> str:
        """In lower case."""
        return urlsplit(self.url).scheme


def proxy_for(url: str, proxies: Mapping[str, str], environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for requests to `url`, or None for a direct connection.

    `proxies` is the result of urllib.request.getproxies(): by scheme, `all` for any scheme, `no` for exceptions.
    `environ` only provides the variable's name for errors. Loopback addresses never use a proxy: they would mean the
    proxy's own machine. Raises ValueError, in one line that names the variable, for an unusable proxy.
    """
    server = urlsplit(url)
    host, port = server.hostname or "", server.port or {"http": 80, "https": 443}[server.scheme]
    key = server.scheme if proxies.get(server.scheme) else "all"
    value = proxies.get(key, "").strip()
    if not value or is_loopback(host) or bypasses_proxy(host, port, proxies.get("no", "")):
        return None
    proxy = Proxy(value if "://" in value else f"http://{value}", _variable_name(key, environ))
    _validate(proxy)
    return proxy


def is_loopback(host: str) -> bool:
    """Return whether a host is loopback: 127.0.0.0/8, ::1 in any spelling, localhost or *.localhost (RFC 6761)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse_address(name)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped is not None and mapped.is_loopback


def bypasses_proxy(host: str, port: int, no_proxy: str) -> bool:
    """Return whether NO_PROXY names the host, as curl reads it (CURLOPT_NOPROXY).

    Entries are separated by commas or blanks. `*` matches every host; a name matches itself and its subdomains, with or
    without a leading dot; an address matches itself, a network (10.0.0.0/8) its addresses. An entry with a port
    (an extension of httpx) matches that port only.
    """
    name = host.strip("[]").rstrip(".").lower()
    return any(_matches(entry.lower(), name, port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if match := re.fullmatch(r"(\[[^\]]*\]|[^:]+):([0-9]+)", entry):
        entry = match[1]
        if int(match[2]) != port:
            return False
    entry, address = entry.replace("[", "").replace("]", ""), _parse_address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    entry = entry.strip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an IP address, including the short forms that connect() accepts: 127.1, 0x7f000001."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _variable_name(key: str, environ: Mapping[str, str]) -> str:
    names = (f"{key}_proxy", f"{key}_PROXY", f"{key.upper()}_PROXY")
    return next((name for name in names if environ.get(name)), "the system's proxy settings")


def _validate(proxy: Proxy) -> None:
    try:
        parts = urlsplit(proxy.url)
        usable = has_valid_host(parts)
    except ValueError:  # A malformed port, an unclosed bracket.
        parts, usable = SplitResult("", "", "", "", ""), False
    if usable and parts.scheme not in _SCHEMES:
        raise ValueError(f"{proxy}: {parts.scheme}:// proxies are not supported, only {', '.join(_SCHEMES)}")
    if not usable:
        raise ValueError(f"{proxy} is not the address of a proxy, such as http://proxy.example:3128")


def has_valid_host(parts: SplitResult) -> bool:
    """Return whether a URL has a resolvable host and a usable port. Raises ValueError for a malformed port."""
    host = parts.hostname or ""
    if not host or parts.port == 0 or re.search(r"[\s\x00-\x20\x7f%*\\]", parts.netloc.rpartition("@")[2]):
        return False
    try:
        return bool(host if ":" in host else host.removesuffix(".").encode("idna"))
    except UnicodeError:  # getaddrinfo() rejects labels that are empty or longer than 63 bytes.
        return False


def strip_credentials(url: str) -> str:
    """Return a URL without user name and password, even if it is malformed."""
    return re.sub(r"\A([A-Za-z][A-Za-z0-9+.-]*://)?(?:.*@)?", r"\1", url, count=1, flags=re.DOTALL)
