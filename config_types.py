"""Settings as the fields of a dataclass: how they are declared and read, the parsers of their values, retired names.

`Config` and the storage backends are declared so. A field's name in capitals is the environment variable. A parser is a
pure function from text to a typed value. It raises ValueError with a message that states what is accepted and never
repeats the value.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

MAX_TRANSFERS = 1 << 14
"""The highest limit of concurrent transfers, of a client or a key."""

_SIZE_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_BOOLEANS = {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}
_MEDIA_RANGE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)")

RETIRED = {
    "CELERY_INLINE_MAX": "was removed: it is 256 KiB",
    "CELERY_REDIS_BUDGET": "is now RELAY_TOTAL_BYTES",
    "CELERY_WINDOW": "is now RELAY_FILE_BYTES",
    "DEFAULT_EXPIRY": "is now DEFAULT_TTL",
    "KEEPALIVE": "is now KEEPALIVE_TIMEOUT",
    "KEEP_ERRORS": "is now FAILED_ROW_RETENTION",
    "LEASE_SECONDS": "is now LEASE_DURATION",
    "MIN_RATE": "is now MIN_UPLOAD_RATE",
    "READ_RATE": "is now REQUEST_RATE_LIMIT",
    "RETRY_SECONDS": "is now RETRY_DELAY",
    "SPOOL_BUDGET": "is now SPOOL_MAX_BYTES",
    "SPOOL_KEEP_ERRORS": "is now FAILED_RETENTION",
    "STALL_SECONDS": "is now BODY_TIMEOUT",
    "STOP_SECONDS": "is now SHUTDOWN_TIMEOUT",
    "SWEEP_GRACE": "is now ORPHAN_GRACE",
    "SWEEP_SECONDS": "is now SWEEP_INTERVAL",
    "SWEEP_STORAGE_SECONDS": "was removed: it follows from ORPHAN_GRACE",
    "UPLOADS_AT_ONCE": "is now MAX_TRANSFERS_PER_CLIENT",
    "UPLOAD_RATE": "is now UPLOAD_RATE_LIMIT",
}
"""Retired settings, and what became of each. Setting one stops the start."""


@dataclass(frozen=True)
class Rate:
    """At most `limit` requests in `seconds`."""

    limit: int
    seconds: int


def setting(theme: str, default: str, parse: Callable[[str], Any], help: str, *, secret: bool = False) -> Any:
    """Declare a setting. `secret`: kept out of the repr and of errors."""
    meta = {"theme": theme, "default": default, "parse": parse, "help": help, "secret": secret}
    return field(repr=not secret, metadata=meta)


def declared(cls: Any) -> dict[str, Mapping[str, Any]]:
    """The metadata of the settings that a dataclass declares, by their field."""
    return {item.name: item.metadata for item in fields(cls) if "theme" in item.metadata}


def read(cls: Any, env: Mapping[str, str], errors: list[str], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parse the settings that `cls` declares from `env`; one that is missing or empty has its default.

    Appends a line to `errors` for every invalid one. `{ferry_data}` in a value is that setting, of `cls` or `known`.
    """
    values = dict(known or {})
    types = {item.name: str(item.type) for item in fields(cls)}
    for name, meta in declared(cls).items():
        text = env.get(name.upper(), "").strip() or meta["default"]
        text = text.replace("{ferry_data}", str(values.get("ferry_data", "")))
        try:
            values[name] = meta["parse"](text) if text else _empty(types[name])
        except ValueError as error:
            values[name] = ""
            errors.append(f"{name.upper()}={'(hidden)' if meta['secret'] or '@' in text else text}: {error}")
    return {name: values[name] for name in declared(cls)}


def parse(cls: Callable[..., T], env: Mapping[str, str], errors: list[str], known: Mapping[str, Any]) -> T | None:
    """Create a `cls` of the settings that `read` returns. A ValueError of its own is one of the `errors`."""
    try:
        return cls(**read(cls, env, errors, known))
    except ValueError as error:
        errors.append(str(error))
        return None


def _empty(annotation: str) -> Any:
    """The value of a setting without a text: None or () where the field's type has it, else an empty text."""
    return None if annotation.endswith("| None") else () if annotation.startswith("tuple") else ""


def boolean(value: str) -> bool:
    """Parse a switch, in any case."""
    if value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise ValueError("must be 1 or 0, yes or no, true or false, on or off")


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of integers from `low` to `high`."""

    def parse(value: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}", value) and low <= int(value) <= high:
            return int(value)
        raise ValueError(f"must be a whole number from {low} to {high}")

    return parse


def size(value: str) -> int:
    """Parse a positive size into bytes: decimal units (k, MB, G) or binary ones (KiB, Mi, GiB, TiB)."""
    match = re.fullmatch(r"([0-9]{1,15}) ?(|[kmg]i?|ti)b?", value.lower())
    if match and int(match[1]) > 0:
        return int(match[1]) * _SIZE_UNITS[match[2]]
    raise ValueError("must be a size in bytes above 0, such as 1048576, 20MB or 5GiB")


def duration(low: str, high: str) -> Callable[[str], int]:
    """A parser of durations from `low` to `high`, such as 90, 90s, 15m, 24h or 7d, into seconds."""
    accepted = range(seconds(low), seconds(high) + 1)

    def parse(value: str) -> int:
        if re.fullmatch(r"[0-9]{1,12}[smhd]?", value) and seconds(value) in accepted:
            return seconds(value)
        raise ValueError(f"must be from {low} to {high}: seconds, or with a unit, such as 90s, 15m, 24h or 7d")

    return parse


def seconds(value: str) -> int:
    """Convert a whole number with an optional unit (s, m, h, d) into seconds. The caller has checked the format."""
    number = value.rstrip("smhd")
    return int(number) * _SECONDS[value[len(number) :]]


def rate(value: str) -> Rate:
    """Parse a rate limit such as 600/minute."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour|day)", value)
    if match:
        return Rate(int(match[1]), _PERIODS[match[2]])
    raise ValueError("must be a number per second, minute, hour or day, such as 600/minute")


def one_of(*allowed: str) -> Callable[[str], str]:
    """A parser that accepts exactly these values."""

    def parse(value: str) -> str:
        if value in allowed:
            return value
        raise ValueError(f"must be one of: {', '.join(allowed)}")

    return parse


def list_of(item: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """A parser of comma-separated values, each parsed by `item`."""
    return lambda value: tuple(item(each.strip()) for each in value.split(","))


def path(value: str) -> Path:
    """Parse a path; relative ones are relative to the working folder."""
    return Path(value).expanduser().absolute()


def host(value: str) -> str:
    """Parse an address to listen on: an IP address, without brackets, or a host name."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", value):
        return value
    try:
        return _ipv6(value)
    except ValueError:
        raise ValueError("must be an IP address or a host name, without port and zone, such as ::1") from None


def trusted_host(value: str) -> str:
    """Parse a host as the header Host has it: in lower case, IPv6 in brackets."""
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,252}", value.lower()):
        return value.lower()
    try:
        return f"[{_ipv6(value)}]"
    except ValueError:
        raise ValueError("must be host names or IP addresses with commas between them, without ports") from None


def _ipv6(value: str) -> str:
    """An IPv6 address in its shortest form (RFC 5952), from one with or without brackets. Raises ValueError."""
    address = ipaddress.IPv6Address(value[1:-1] if re.fullmatch(r"\[.*\]", value) else value)
    if address.scope_id:
        raise ValueError("a zone is not accepted")
    return str(address)


def origin(value: str) -> str:
    """Parse an origin as browsers serialise it (RFC 6454 §6.2): scheme, host, and port unless it is the default.

    The scheme may be that of an app in a web view, such as capacitor://localhost, tauri://localhost or app://.
    """
    if value == "null" or value.startswith(("file:", "data:", "blob:", "about:")):
        raise ValueError(
            "must be origins as browsers send them, but not null: every file:// page and every sandboxed frame has it."
            " Serve the page over http://, https:// or a scheme of its app"
        )
    exact = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([A-Za-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value)
    if exact and has_valid_port(value) and _is_serialised(exact[1], exact[2], exact[3]):
        return value
    raise ValueError(
        "must be origins as browsers send them, with commas between them, such as https://app.example.com or"
        " capacitor://localhost: in lower case, without a path, a slash at the end, the default port or a wildcard"
    )


def _is_serialised(scheme: str, host: str, port: str | None) -> bool:
    """Whether a browser writes the origin this way: of http and https only, it normalises host and port."""
    default = {"http": ":80", "https": ":443"}
    return scheme not in default or (host == host.lower() and port != default[scheme] and host[0] not in ".-")


def media_types(value: str) -> tuple[str, ...]:
    """Parse comma-separated media types or ranges such as image/*, in lower case."""
    types = tuple(item.strip().lower() for item in value.split(","))
    if all(_MEDIA_RANGE.fullmatch(item) for item in types):
        return types
    raise ValueError("must be media types with commas between them, such as image/*, application/pdf")


def http_url(value: str) -> str:
    """Parse an HTTP URL; a slash at its end is dropped."""
    if re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value) and has_valid_port(value):
        return value.rstrip("/")
    raise ValueError("must be an http:// or https:// address without a query or a password")


def has_valid_port(url: str) -> bool:
    """Whether the port of `url`, if it has one, is a number from 1 to 65535."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
