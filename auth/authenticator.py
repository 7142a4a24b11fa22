"""Who sends a request: its API key, or an anonymous client of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import config
from auth.api_keys import LiveApiKey
from auth.key_cache import KeyCache
from problems import Unauthorized
from server.addresses import is_loopback, network

_PROXY_HEADERS = re.compile(
    r"""(?im)forwarded | ^(via | cdn-loop | front-end-https | x-amzn-trace-id | x-arr-log-id | x-scheme)$
    | ^(x-original | x-envoy | x-azure | cf | cloudfront)-
    | (client | connecting | real | remote | originating | source | cluster | user)-?(ip | addr | address)$""",
    re.VERBOSE,
)
"""Headers that proxies and CDNs add: Forwarded (RFC 7239), Via (RFC 9110 §7.6.3), CDN-Loop (RFC 8586), and each
vendor's own, most of which carry the client's address."""


@dataclass(frozen=True)
class Principal:
    """The authenticated client of a request."""

    owner: str | None
    """Whose files the client can access; None for anonymous clients."""
    name: str
    """The key for rate limits and slots: the owner's name, or the network of an anonymous client."""
    key: LiveApiKey | None


class Authenticator:
    """Turns an Authorization header into a Principal, from the API keys that this process has cached."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def authenticate(self, authorization: str | None, address: str, *, forwarded: bool = False) -> Principal:
        """The principal of this `Authorization` header (RFC 6750 §2.1) from this address. Raises Unauthorized.

        `forwarded`: by a proxy, which may run on this machine and serve clients of any other.
        """
        if authorization is None:
            if not self.allows_anonymous(address, forwarded=forwarded):
                raise Unauthorized(_FORWARDED if forwarded else _NO_KEY)
            return Principal(None, network(address), None)
        scheme, _, token = authorization.partition(" ")
        key = self._keys.lookup(token.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Unauthorized("The API key is unknown, expired or revoked, or not written as Bearer ferry_…")
        return Principal(key.owner, key.owner, key)

    def allows_anonymous(self, address: str, *, forwarded: bool) -> bool:
        """Whether a request from this address needs no API key."""
        settings = config.current()
        if settings.allow_anonymous:
            return True
        return settings.is_loopback and is_loopback(address) and not forwarded and not self._keys.any_exists()


_NO_KEY = "This needs an API key: Authorization: Bearer ferry_…"
_FORWARDED = f"{_NO_KEY} A request that a proxy has forwarded does not count as one of this machine."


def was_forwarded(headers: Iterable[str], protocol: str, connection: str | None) -> bool:
    """Whether a proxy sent a request with headers of these names, as far as it can be detected.

    nginx adds no header by default, but speaks HTTP/1.0 to the server behind it and sends `Connection: close`, which no
    common client does. A proxy that is configured for HTTP/1.1 without any header looks like a client.
    """
    if protocol == "HTTP/1.0" and (connection or "").lower() == "close":
        return True
    return bool(_PROXY_HEADERS.search("\n".join(headers)))
