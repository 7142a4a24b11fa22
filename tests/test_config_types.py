"""The parsers of settings: accepted texts and their values, refused texts and the form that the error states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import config_types as types
from config_types import Rate

MINUTES = types.duration("1s", "1h")
HOSTS = types.list_of(types.trusted_host)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        *((types.boolean, text, True) for text in ("1", "yes", "true", "on", "YES", "True", "On")),
        *((types.boolean, text, False) for text in ("0", "no", "false", "off", "No", "FALSE")),
        (types.integer(1, 10), "1", 1), (types.integer(1, 10), "10", 10), (types.integer(0, 10), "007", 7),
        (types.size, "1", 1), (types.size, "1048576", 2**20), (types.size, "20MB", 20 * 10**6),
        (types.size, "3k", 3000),
        (types.size, "20 mb", 20 * 10**6), (types.size, "5GiB", 5 * 2**30), (types.size, "1tib", 2**40),
        (MINUTES, "90", 90), (MINUTES, "90s", 90), (MINUTES, "15m", 900), (MINUTES, "1h", 3600),
        (MINUTES, "3600", 3600),
        (types.duration("0s", "100d"), "0", 0), (types.duration("0s", "100d"), "24h", 86400),
        (types.duration("0s", "100d"), "7d", 7 * 86400), (types.duration("0s", "100d"), "100d", 8640000),
        (types.rate, "5/second", Rate(5, 1)), (types.rate, "600/minute", Rate(600, 60)),
        (types.rate, "1/hour", Rate(1, 3600)), (types.rate, "1/day", Rate(1, 86400)),
        (types.one_of("a", "b"), "b", "b"),
        (types.path, "/srv/ferry", Path("/srv/ferry")), (types.path, "var", Path("var").absolute()),
        (types.host, "::1", "::1"), (types.host, "[2001:DB8:0::1]", "2001:db8::1"),
        (types.host, "localhost", "localhost"),
        (HOSTS, "Ferry.example.com, [::1],2001:DB8::0:1", ("ferry.example.com", "[::1]", "[2001:db8::1]")),
        (types.media_types, "Image/*, application/pdf", ("image/*", "application/pdf")),
        (types.http_url, "https://s3.example.com/base/", "https://s3.example.com/base"),
        (types.http_url, "http://[::1]:9000", "http://[::1]:9000"),
    ],
)  # fmt: skip
def test_an_accepted_text_has_its_value(parse: Callable[[str], Any], text: str, value: Any) -> None:
    parsed = parse(text)

    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("parse", "text", "accepted"),
    [
        *((types.boolean, text, "1 or 0, yes or no, true or false, on or off") for text in ("2", "y", "", "enabled")),
        *((types.integer(1, 10), text, "a whole number from 1 to 10") for text in ("0", "11", "-1", "1.0", "1s")),
        *((types.size, text, "a size in bytes above 0") for text in ("ten", "0", "-1", "1.5GB", "20XB", "10s")),
        *(
            (MINUTES, text, "from 1s to 1h: seconds, or with a unit, such as 90s, 15m, 24h or 7d")
            for text in ("0", "0s", "61m", "3601", "1d", "1w", "-5", "1.5h", "1h30m", "ten", "s")
        ),
        *((types.rate, text, "such as 600/minute") for text in ("600", "0/minute", "5/week", "5 / minute", "-1/day")),
        (types.one_of("a", "b"), "A", "one of: a, b"),
        *((types.host, text, "without port and zone") for text in ("127.0.0.1:5000", "fe80::1%eth0", "no such host")),
        *((HOSTS, text, "without ports") for text in ("*", "a.example.com,", "[::1]:5000", "[fe80::1%eth0]")),
        *((types.media_types, text, "media types with commas") for text in ("image", "*/*", "text/html,", "a/b; c=d")),
        *(
            (types.http_url, text, "an http:// or https:// address")
            for text in ("localhost:9000", "http://s3:port", "http://s3:0", "http://s3:99999", "http://u:p@s3", "http://s3?a")
        ),
    ],
)  # fmt: skip
def test_a_refused_text_is_answered_with_the_accepted_form(
    parse: Callable[[str], Any], text: str, accepted: str
) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)

    assert accepted in str(refused.value)
